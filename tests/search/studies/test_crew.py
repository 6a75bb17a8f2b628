"""Trials of two processes each, on the real Ray: the study is that of one process, whoever dies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.search.parts import log_file
from tests.search.studies.killing import Killing, records

SETTINGS: dict[str, Any] = {
    "trials": 2, "workers": 1, "processes_per_trial": 2, "finalists": 0, "searcher": "random", "scheduler": "none",
    "epochs": 4, "repeats": 2, "augmentation_strength": 0.0,
    "narrow": {
        "batch_size": 15, "strategy": "full", "strategy.full.lr": [1e-4, 1e-3], "dropout": 0.0,
        "augmentation_strength": 0.0,
    },
}  # fmt: skip


@pytest.mark.timeout(300)
@pytest.mark.parametrize("title", ["ray::Rank", pytest.param("ray::Leader", marks=pytest.mark.slow)])
def test_a_study_of_two_processes_a_trial_is_that_of_one_whichever_dies(small_study, title):
    two, one = small_study("two", **SETTINGS), small_study("one", **SETTINGS | {"processes_per_trial": 1})
    killing = Killing(title, after=2)
    frame, expected = two.run(killing).dataframe(), one.run().dataframe()
    assert killing.killed == 1
    assert list(frame["state"]) == ["COMPLETE"] * 2
    parameters = [name for name in expected.columns if name.startswith(("strategy", "weight"))]
    assert frame[parameters].equals(expected[parameters])
    for trained, alone in zip(records(two), records(one), strict=True):
        assert [record.epoch for record in trained] == [1, 2, 3, 4]
        for record, same in zip(trained, alone, strict=True):
            for name in ("train/loss", "val/loss", "val/accuracy", "train/grad_norm"):
                assert record.metrics[name] == pytest.approx(same.metrics[name], rel=0.02, abs=0.002), name


@pytest.mark.timeout(300)
def test_they_pause_share_out_memory_and_fail_as_one(small_study):
    """The second trial fails in its second process alone, at whose end the first one would wait for ever.

    A pass over all fifteen images keeps more than it may; in the first process eight of them do, in the second seven.
    """
    faulty = {
        "trainable": "tests.search.parts:OneSided",
        "scheduler": "promotion",
        "memory_limit": 1.7,
        "trials": 5,
    }
    study = small_study("trouble", **SETTINGS | faulty)
    frame = study.run().dataframe()
    states = list(frame["state"])
    assert states[1] == "FAIL"
    assert frame["reason"][1].startswith("ValueError: only the second process fails (parts.py:")
    assert set(states[:1] + states[2:]) == {"COMPLETE", "PRUNED"}
    trained = [trial for number, trial in enumerate(records(study)) if number != 1]
    for trial in trained:
        assert [record.epoch for record in trial] == list(range(1, len(trial) + 1))
        assert {record.metrics["train/micro_batch"] for record in trial} == {4.0}
    epochs = sum(map(len, trained))
    assert log_file().read_text().count("\n") == 2 * epochs  # by both processes, and none of them twice


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("settings", [{"sharded": True}, {"folds": 2, "epochs": 2}], ids=["sharded", "folds"])
def test_other_studies_of_two_processes_a_trial_are_those_of_one(small_study, settings):
    settings = SETTINGS | settings
    two, one = (
        small_study("two", **settings),
        small_study("one", **settings | {"processes_per_trial": 1, "sharded": False}),
    )
    assert list(two.run().dataframe()["state"]) == list(one.run().dataframe()["state"]) == ["COMPLETE"] * 2
    for trained, alone in zip(records(two), records(one), strict=True):
        assert [record.epoch for record in trained] == [1, 2, 3, 4]
        for record, same in zip(trained, alone, strict=True):
            assert record.metrics["train/loss"] == pytest.approx(
                same.metrics["train/loss"], rel=0.02, abs=0.002
            )

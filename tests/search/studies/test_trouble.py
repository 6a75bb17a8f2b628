"""Processes that hang, disks that are away, code that is wrong: what becomes of trials and study, on the real Ray."""

from __future__ import annotations

import io
from collections import Counter

import optuna
import pytest

from search import StudyError
from search.ledger import FAULTS
from search.store.databases import open_storage
from search.tracking.states import mlflow_states
from search.view.lines import LineView


def trials_of(study) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=study.spec.name, storage=open_storage(study.store)).trials


@pytest.mark.timeout(300)
def test_what_may_pass_is_tried_again_and_what_does_not_pass_is_fail(small_study, tmp_path):
    said = io.StringIO()
    study = small_study(  # with less silence a busy machine looks dead
        trials=4, finalists=0, scheduler="none", searcher="random", epochs=4, workers=2, silence=20.0,
        trainable="tests.search.parts:Troubled",
    )  # fmt: skip
    result = study.run(LineView(said))
    faults = {}
    for trial in trials_of(study):
        mark = tmp_path / f"trouble-{trial.user_attrs['seed']}"
        if mark.exists():
            faults[mark.read_text()] = trial
    assert faults["hangs"].state.name == faults["disk"].state.name == "COMPLETE"
    assert [fault["epoch"] for fault in faults["hangs"].user_attrs[FAULTS]] == [2]
    assert "no sign of life for 20 s" in faults["hangs"].user_attrs[FAULTS][0]["reason"]
    assert "OSError: [Errno 5] Input/output error" in faults["disk"].user_attrs[FAULTS][0]["reason"]
    assert faults["dies"].state.name == "FAIL"
    assert faults["dies"].user_attrs["reason"].startswith("its process died")
    assert faults["dies"].user_attrs["reason"].endswith("(3 times)")
    assert sorted(trial.state for trial in result.trials) == ["COMPLETE"] * 3 + ["FAIL"]
    assert {state for _, state in mlflow_states(study.store, "small").values()} == {"COMPLETE", "FAIL"}
    # No epoch that was on the disk is trained twice.
    trained = (tmp_path / "epochs.log").read_text().splitlines()
    twice = {line: times for line, times in Counter(trained).items() if times > 1}
    assert not twice, {trial.user_attrs["seed"]: trial.user_attrs.get(FAULTS) for trial in trials_of(study)}
    assert len(trained) == 3 * 4 + 2
    lines = said.getvalue()
    assert (
        "broke off after epoch 2 and goes on from there: its process gave no sign of life for 20 s" in lines
    )


@pytest.mark.timeout(300)
def test_a_study_whose_trials_all_fail_for_one_cause_says_so_and_ends(small_study):
    study = small_study(
        trials=30, finalists=0, scheduler="none", searcher="random", epochs=4, workers=2,
        trainable="tests.search.parts:Broken",
    )  # fmt: skip
    with pytest.raises(StudyError, match=r"all 5 trials .* one cause: RuntimeError: no column 'label'"):
        study.run()
    states = [trial.state.name for trial in trials_of(study)]
    assert states.count("FAIL") == 5
    assert len(states) <= 8

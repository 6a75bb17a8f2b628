"""Trials that train in one process, on the real Ray: the study is the same, whoever dies."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import ray

from search.execution.cluster import LocalCluster
from search.execution.host import Host
from search.execution.resources import Resources
from search.execution.seat import Shared
from tests.search.parts import LOG, quadrants
from tests.search.studies.killing import Killing, records
from trainables.config import Fixed
from trainables.material import prepare
from trainables.protocol import EpochRecord
from trainables.settling import settle

SETTINGS: dict[str, Any] = {
    "trials": 4, "workers": 2, "together": 2, "finalists": 0, "searcher": "random", "scheduler": "none", "epochs": 4,
    "repeats": 12,
    "narrow": {"batch_size": 16, "strategy": "full", "strategy.full.lr": [1e-4, 1e-3]},
}  # fmt: skip


def together(study: Any) -> list[list[float]]:
    return [[record.metrics["train/together"] for record in trial] for trial in records(study)]


@pytest.mark.timeout(300)
def test_a_study_is_the_same_with_its_trials_in_one_process(small_study):
    one, other = small_study("together", **SETTINGS), small_study("apart", **SETTINGS | {"together": 1})
    frame, expected = one.run().dataframe(), other.run().dataframe()
    assert list(frame["state"]) == ["COMPLETE"] * 4
    parameters = [name for name in expected.columns if name.startswith(("strategy", "weight", "dropout"))]
    assert frame[parameters].equals(expected[parameters])
    for trained, alone in zip(records(one), records(other), strict=True):
        assert [record.epoch for record in trained] == [1, 2, 3, 4]
        for record, same in zip(trained, alone, strict=True):
            assert record.metrics["train/loss"] == pytest.approx(same.metrics["train/loss"], rel=0.05)
    assert max(map(max, together(one))) == 2
    assert max(map(max, together(other))) == 1


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("title", "trials"), [("ray::Host", 6), pytest.param("ray::Guest", 4, marks=pytest.mark.slow)]
)
def test_a_death_costs_no_trial(small_study, title, trials):
    study, killing = small_study("deaths", **SETTINGS | {"trials": trials}), Killing(title, after=3)
    frame = study.run(killing).dataframe()
    assert killing.killed == 1
    assert list(frame["state"]) == ["COMPLETE"] * trials
    assert [[record.epoch for record in trial] for trial in records(study)] == [[1, 2, 3, 4]] * trials
    # Those that came later are together again. A new guest may come when all is over.
    if title == "ray::Host":
        assert max(map(max, together(study)[2:])) == 2


@pytest.fixture(scope="module")
def shared() -> Shared:
    fixed = Fixed(model="test_resnet", pretrained=False, precision="fp32", device="cpu", repeats=1, epochs=3)
    material = prepare(quadrants(0), fixed)
    return Shared("trainables.builder:from_params", settle(fixed, material), material, threads=1)


@pytest.fixture
def there(shared):
    """What all trials have in common, as guests bring it."""
    # In a thread of its own, as the product does: Ray takes the signals of the main one.
    with LocalCluster(1) as cluster:
        cluster.start(Resources(1, 1, 0.0), 0, early=True)
        cluster.ready()
        yield [ray.put(shared)]


def test_a_guest_that_dies_while_it_waits_leaves_no_second_training(there, shared, tmp_path, monkeypatch):
    """Its host still makes the epoch that it waited for; its successor begins when that is over, and goes on then."""
    monkeypatch.setenv(LOG, str(tmp_path / "epochs.log"))
    logged = [ray.put(replace(shared, factory="tests.search.parts:Logged"))]
    trial = {
        "study": "uid", "phase": "search", "number": 0, "seed": 0, "known": 0, "waits": (1,),
        "params": {"strategy": "full", "strategy.full.lr": 1e-3, "batch_size": 16},
        "folder": str(tmp_path / "0"), "asked": time.time(),
    }  # fmt: skip
    for attempt in range(3):
        config = {**trial, "number": attempt, "seed": attempt, "folder": str(tmp_path / str(attempt))}
        host = Host(2)
        seat = host.enter(logged, anyway=False)
        host.begin(seat, config)
        assert EpochRecord.from_json(host.step(seat)["record"]).epoch == 1
        with ThreadPoolExecutor(1) as dead:
            dead.submit(host.step, seat)
            time.sleep(0.02 * attempt)
            another = host.enter(logged, anyway=False)
            host.begin(another, {**config, "known": 1})
            told = [EpochRecord.from_json(host.step(another)["record"]).epoch for _ in range(2)]
        assert told == [2, 3]
        host.leave(another)
    epochs = Counter((tmp_path / "epochs.log").read_text().splitlines())
    assert len(epochs) == 9
    assert set(epochs.values()) == {1}


def test_a_host_has_as_many_seats_as_it_was_told(there, tmp_path):
    def trial(number: int) -> dict[str, Any]:
        return {
            "study": "uid", "phase": "search", "number": number, "seed": number, "known": 0, "waits": (),
            "params": {"strategy": "full", "strategy.full.lr": 1e-3, "batch_size": 16},
            "folder": str(tmp_path / str(number)), "asked": time.time(),
        }  # fmt: skip

    host = Host(2)
    seats = [host.enter(there, anyway=False) for _ in range(3)]
    assert seats[2] is None
    assert seats[0] != seats[1]
    for number, seat in enumerate(seats[:2]):
        host.begin(seat, trial(number))
    with ThreadPoolExecutor(2) as guests:
        told = list(guests.map(host.step, seats[:2]))
    assert [EpochRecord.from_json(one["record"]).epoch for one in told] == [1, 1]
    # The guest of trial 1 died, and its successor asks for a seat: the old one is free again.
    another = host.enter(there, anyway=True)
    host.begin(another, trial(1))
    assert [EpochRecord.from_json(host.step(another)["record"]).epoch for _ in range(3)] == [1, 2, 3]
    with pytest.raises(KeyError):
        host.step(seats[1])
    host.leave(seats[0])
    assert host.enter(there, anyway=False) is not None

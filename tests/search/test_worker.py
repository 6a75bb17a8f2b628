"""The actor that trains, by itself: what it hands over, what it keeps, and where its successor goes on."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import wait
from dataclasses import replace
from itertools import islice

import pytest

from search.execution.names import BEST, LAST
from search.execution.seat import Shared
from search.execution.worker import Worker
from tests.search.parts import LOG, ODD, quadrants
from trainables import checkpoint
from trainables.builder import from_params
from trainables.config import Fixed
from trainables.material import prepare
from trainables.protocol import EpochRecord
from trainables.settling import settle

PARAMS = {"strategy": "full", "strategy.full.lr": 1e-3, "batch_size": 16}


@pytest.fixture(scope="module")
def shared() -> Shared:
    fixed = Fixed(model="test_resnet", pretrained=False, precision="fp32", device="cpu", repeats=1, epochs=9)
    material = prepare(quadrants(0), fixed)
    return Shared("tests.search.parts:Ending", settle(fixed, material), material, threads=1)


@pytest.fixture
def worker(shared, tmp_path, monkeypatch):
    """A maker of workers for one trial, as Ray makes them after a death."""
    monkeypatch.setenv(LOG, str(tmp_path / "epochs.log"))

    def make(known: int, factory: str = "tests.search.parts:Ending", waits: Sequence[int] = ()) -> Worker:
        made = Worker.__new__(Worker)  # Ray's own constructor wants a cluster
        config = {
            "study": "uid", "phase": "search", "number": 0, "params": PARAMS, "seed": 5, "known": known, "asked": 0.0,
            "folder": str(tmp_path / "0"), "waits": waits,
        }  # fmt: skip
        made.setup(config, replace(shared, factory=factory))
        made.config_of_test = config
        return made

    return make


def test_a_recipe_that_ends_itself_keeps_its_best_weights_and_hands_everything_over(worker, tmp_path):
    one = worker(0)
    records = []
    for epoch in (1, 2, 3):
        assert (tmp_path / "0" / BEST).exists() is False
        result = one.step()
        assert list(result) == ["record", "seconds"]
        assert isinstance(result["record"], str)  # Ray takes a dictionary apart
        records.append(EpochRecord.from_json(result["record"]))
        assert records[-1].epoch == epoch
        # From the start of the process on, all is accounted for: within the epoch by itself, around it by the worker.
        around = json.loads(result["seconds"])
        assert around["start" if epoch == 1 else "driver"] > 0
        assert around["checkpoint"] > 0
        assert records[-1].metrics["seconds/arithmetic"] > 0
        assert "seconds/checkpoint" not in records[-1].metrics
    assert [record.ended for record in records] == ["", "", "enough"]
    assert [record.report for record in records] == [{}, {}, {"f1": 0.25}]
    for record in records:
        assert repr({name: record.metrics[name] for name in ODD}) == repr(ODD)  # NaN and infinities too
    assert checkpoint.load(tmp_path / "0" / BEST)["weights"]


@pytest.mark.parametrize("known", [0, 1, 2])
def test_one_that_dies_before_it_can_say_so_is_followed_by_one_that_says_the_same(worker, tmp_path, known):
    first = worker(0)
    said = [first.step() for _ in range(3)]
    assert (tmp_path / "0" / LAST).exists()
    following = worker(known)
    for epoch in range(known + 1, 4):
        assert without_seconds(following.step()) == without_seconds(said[epoch - 1])
    lines = (tmp_path / "epochs.log").read_text().splitlines()
    assert set(Counter(lines).values()) == {1}  # nothing was trained again


def test_one_that_stops_without_a_word_has_failed(worker):
    one = worker(0, "tests.search.parts:Quitting")
    assert "record" in one.step()
    said = one.step()
    assert set(json.loads(said.pop("seconds"))) == {"driver", "lost"}
    assert said == {"failure": "the trainable ended before its full budget", "diverged": False}


def without_seconds(told: dict[str, str]) -> str:
    """A record as text, but for where its time went: what was spent before a death is not spent again."""
    record = json.loads(told["record"])
    record["metrics"] = {name: v for name, v in record["metrics"].items() if not name.startswith("seconds/")}
    return json.dumps(record)


def trained(tmp_path) -> list[int]:
    """The epochs that were trained so far."""
    log = tmp_path / "epochs.log"
    return [int(line.split()[-1]) for line in log.read_text().splitlines()] if log.exists() else []


def test_it_trains_on_while_the_driver_thinks_but_not_where_it_may_be_stopped(worker, tmp_path):
    one = worker(0, "tests.search.parts:Logged", waits=[2, 4])
    one.reset_config(one.config_of_test)  # as a warm process is given a trial
    until = time.monotonic() + 60
    while not trained(tmp_path):  # nobody has asked yet
        assert time.monotonic() < until
        time.sleep(0.01)
    assert EpochRecord.from_json(one.step()["record"]).epoch == 1
    assert EpochRecord.from_json(one.step()["record"]).epoch == 2
    time.sleep(0.5)
    assert trained(tmp_path) == [1, 2]
    assert EpochRecord.from_json(one.step()["record"]).epoch == 3
    while 4 not in trained(tmp_path):
        assert time.monotonic() < until
        time.sleep(0.01)
    time.sleep(0.5)
    assert trained(tmp_path) == [1, 2, 3, 4]


def test_a_checkpoint_is_written_while_the_next_epoch_is_trained_and_is_there_before_its_record(
    worker, shared, tmp_path, monkeypatch
):
    alone = list(islice(from_params(PARAMS, shared.fixed, 5, shared.material).epochs(), 3))
    save, began = checkpoint.save, []

    def slow(path, state):
        began.append(threading.current_thread().name)
        until = time.monotonic() + 60
        while (
            trained(tmp_path)[-1] == len(began) < 3 and time.monotonic() < until
        ):  # until the next is trained
            time.sleep(0.01)
        save(path, state)

    monkeypatch.setattr(checkpoint, "save", slow)
    one = worker(0, "tests.search.parts:Logged", waits=[3])
    for epoch in (1, 2, 3):
        assert EpochRecord.from_json(one.step()["record"]).epoch == epoch
        assert trained(tmp_path)[-1] == min(epoch + 1, 3)
        saved = checkpoint.load(tmp_path / "0" / LAST)
        assert [record["epoch"] for record in saved["records"]] == list(range(1, epoch + 1))
        assert saved["state"]["scores"] == [record.score for record in alone[:epoch]]
    assert set(began) == {"checkpoints"}
    following = worker(2, "tests.search.parts:Logged", waits=[3])
    assert EpochRecord.from_json(following.step()["record"]).score == alone[2].score


@pytest.mark.parametrize("waits", [[], [1]], ids=["while the next epoch is trained", "at a rung"])
def test_a_disk_that_is_full_is_told(waits, worker, monkeypatch):
    def full(path, state):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save", full)
    one = worker(0, "tests.search.parts:Logged", waits=waits)
    said = one.step()
    assert said["fault"].endswith("No space left on device")
    assert "record" not in said
    if one.seat._ahead is not None:
        wait([one.seat._ahead])  # else it trains on into the next test


def test_what_was_trained_ahead_of_a_stop_is_not_trained_again(worker, tmp_path):
    """Ctrl-C stops a trial wherever it is; its record of the next epoch may be in the checkpoint by then."""
    one = worker(0, "tests.search.parts:Logged")
    one.step()
    until = time.monotonic() + 60
    while 3 not in trained(tmp_path) and time.monotonic() < until:
        one.step() if 2 in trained(tmp_path) else time.sleep(0.01)
    one.reset_config({**one.config_of_test, "number": 1, "folder": str(tmp_path / "1"), "waits": [1]})
    assert EpochRecord.from_json(one.step()["record"]).epoch == 1
    following = worker(1, "tests.search.parts:Logged", waits=[4])
    assert [EpochRecord.from_json(following.step()["record"]).epoch for _ in range(3)] == [2, 3, 4]
    assert Counter(trained(tmp_path))[2] == Counter(trained(tmp_path))[3] == 1

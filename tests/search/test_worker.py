"""The actor that trains, by itself: what it hands over, what it keeps, and where its successor goes on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from search.execution.names import BEST, LAST
from search.execution.worker import Shared, Worker
from tests.search.parts import LOG, ODD, quadrants
from trainables import checkpoint
from trainables.config import Fixed
from trainables.material import prepare, settle
from trainables.protocol import EpochRecord

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

    def make(known: int, factory: str = "tests.search.parts:Ending") -> Worker:
        made = Worker.__new__(Worker)  # Ray's own constructor wants a cluster
        config = {
            "study": "uid", "phase": "search", "number": 0, "params": PARAMS, "seed": 5, "known": known,
            "folder": str(tmp_path / "0"),
        }  # fmt: skip
        made.setup(config, replace(shared, factory=factory))
        return made

    return make


def test_a_recipe_that_ends_itself_keeps_its_best_weights_and_hands_everything_over(worker, tmp_path):
    one = worker(0)
    records = []
    for epoch in (1, 2, 3):
        assert (tmp_path / "0" / BEST).exists() is False
        result = one.step()
        assert list(result) == ["record"]
        assert isinstance(result["record"], str)  # Ray takes a dictionary apart
        records.append(EpochRecord.from_json(result["record"]))
        assert records[-1].epoch == epoch
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
        assert following.step() == said[epoch - 1]
    lines = (tmp_path / "epochs.log").read_text().splitlines()
    assert set(Counter(lines).values()) == {1}  # nothing was trained again


def test_one_that_stops_without_a_word_has_failed(worker):
    one = worker(0, "tests.search.parts:Quitting")
    assert list(one.step()) == ["record"]
    assert one.step() == {"failure": "the trainable ended before its full budget", "diverged": False}

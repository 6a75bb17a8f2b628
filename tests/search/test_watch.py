"""Processes that hang, and why others are gone."""

from __future__ import annotations

import pytest
import torch
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayTaskError

from search.execution import deaths
from search.execution.deaths import KILLED, MEMORY, Deaths
from search.execution.passing import broke_device, may_pass
from search.execution.watch import FIRST, LEAST, Watch


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_silent_trial_is_named_once_and_one_that_tells_or_has_ended_is_not():
    clock = Clock()
    watch = Watch(10.0, clock)
    for trial in "abc":
        watch.begin(trial)
    for clock.now in range(9):
        assert watch.overdue() == []
    watch.heard("a")
    watch.end("c")
    assert watch.overdue() == []
    clock.now = 11
    assert watch.overdue() == ["b"]
    assert watch.overdue() == []
    watch.begin("b")  # its next process
    clock.now = 20
    assert watch.overdue() == ["a"]


def test_a_driver_that_was_away_itself_ends_nobody():
    clock = Clock()
    watch = Watch(60.0, clock)
    watch.begin("a")
    assert watch.overdue() == []
    clock.now = 500  # the ledger was away; what the trial told meanwhile has not been looked at
    assert watch.overdue() == []
    for clock.now in range(510, 560, 10):
        assert watch.overdue() == []
    clock.now = 561
    assert watch.overdue() == ["a"]


def test_the_time_is_found_from_the_epochs_that_come():
    clock = Clock()
    watch = Watch(clock=clock)
    watch.begin("a")
    assert watch.limit("a") == FIRST
    clock.now = 20
    watch.heard("a")
    assert watch.limit("a") == LEAST
    watch.begin("b")  # a dearer recipe
    assert watch.limit("b") == FIRST
    clock.now = 520
    watch.heard("b")
    assert watch.limit("a") == watch.limit("b") == 5000
    watch.end("b")
    watch.begin("b")
    assert watch.limit("b") == 5000


def test_what_a_driver_waited_for_itself_is_no_epochs_time():
    clock = Clock()
    watch = Watch(clock=clock)
    watch.begin("a")
    watch.overdue()
    clock.now = 910  # 900 of them for its ledger; then Ray tells it of the record
    watch.heard("a")
    assert watch.limit("a") == LEAST


def test_a_death_is_told_by_its_evidence(tmp_path, monkeypatch):
    events = tmp_path / "memory.events"
    events.write_text("low 0\noom 3\noom_kill 2\noom_group_kill 0\n")
    monkeypatch.setattr(deaths, "_EVENTS", (str(tmp_path / "none"), str(events)))
    found = Deaths()
    assert found.reason(ActorDiedError()) == KILLED
    events.write_text("oom_kill 3\n")
    assert found.reason(ActorDiedError()) == MEMORY
    assert found.reason(ActorDiedError()) == KILLED  # that kill was the last one's
    assert found.reason(OutOfMemoryError("so much")) == MEMORY
    assert found.reason(None) == KILLED
    assert found.reason(RayTaskError("step", "", AssertionError())).endswith("AssertionError: ")
    cause = RayTaskError("step", "a traceback", ValueError("no such\nthing"))
    assert found.reason(cause) == "its process could not run it: ValueError: no such"


@pytest.mark.parametrize(
    ("error", "passes", "broken"),
    [
        (OSError(5, "Input/output error"), True, False),
        (ConnectionResetError(), True, False),
        (MemoryError(), True, False),
        (torch.OutOfMemoryError("CUDA out of memory"), True, False),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), True, True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False, False),
        (KeyError("x"), False, False),
    ],
)
def test_what_may_pass_is_told_from_what_stays_wrong(error, passes, broken):
    assert may_pass(error) is passes
    assert broke_device(error) is broken

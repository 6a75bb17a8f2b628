"""A worker's clock leaves no second out."""

from __future__ import annotations

import time

import psutil
import pytest

from search.execution.clock import Clock


def test_it_counts_from_the_start_of_the_process_and_leaves_nothing_out():
    clock = Clock()
    time.sleep(0.02)
    clock.lap("start")
    clock.lap("driver")
    time.sleep(0.02)
    clock.lap("checkpoint")
    alive = time.time() - psutil.Process().create_time()
    taken = clock.take()
    assert sum(taken.values()) == pytest.approx(alive, abs=0.1)
    assert taken["checkpoint"] >= 0.02
    assert clock.take() == {}


def test_a_process_that_was_started_ahead_counts_from_when_it_was_asked_for():
    clock = Clock(asked=time.time() - 0.05)
    clock.lap("start")
    assert clock.take()["start"] == pytest.approx(0.05, abs=0.04)


def test_what_an_epoch_accounts_for_itself_is_not_counted_twice():
    clock = Clock()
    clock.lap("start")
    clock.take()
    time.sleep(0.05)
    clock.lap("other", known={"seconds/arithmetic": 0.03, "seconds/other": 0.01, "epoch_seconds": 0.04})
    assert 0.01 <= clock.take()["other"] < 0.04


def test_an_epoch_that_claims_more_than_there_was_takes_nothing_away():
    clock = Clock()
    clock.lap("start")
    clock.take()
    clock.lap("other", known={"seconds/arithmetic": 100.0})
    assert clock.take()["other"] == 0

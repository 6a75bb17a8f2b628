"""Phases of equal rank keep step, so that what is interrupted has pairs."""

from __future__ import annotations

from search.decisions.program import SideBySide
from search.decisions.scheduler import NoScheduler
from tests.search.phases import EPOCHS, curve, phase_on, storage
from trainables.protocol import EpochRecord


def phases(store):
    found = []
    for name in ("a", "b"):
        phase = phase_on(store, target=3, scheduler=NoScheduler(), name=name)
        phase.name = name
        found.append(phase)
    return found


def test_the_one_that_has_begun_fewer_gives_the_next_and_all_end():
    store = storage()
    program = SideBySide(phases(store))
    order = []
    while not program.is_done:
        job = program.next()
        order.append((job.phase, job.assignment.number))
        for epoch in range(1, EPOCHS + 1):
            program.on_record(job.phase, job.assignment.number, EpochRecord(epoch, curve(0.5, epoch), {}))
    assert order == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    assert program.next() is None


def test_what_an_earlier_driver_left_comes_first():
    store = storage()
    program = SideBySide(phases(store))
    assert [program.next().phase for _ in range(3)] == ["a", "b", "a"]
    program.on_record("b", 0, EpochRecord(1, 0.5, {}))
    again = SideBySide(phases(store))
    jobs = [again.next() for _ in range(4)]
    assert [(job.phase, job.assignment.number) for job in jobs] == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    assert jobs[1].assignment.known == 1

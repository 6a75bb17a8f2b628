"""The view for log files and CI: one line an event, plain text."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TextIO

from optuna.trial import FrozenTrial

from search.answer.race import Race
from search.result import StudyResult
from search.spec import StudySpec
from search.view import words
from search.view.progress import COMPARE, CONFIRM, PERTURB, SEARCH, Entry, Progress, never_raises
from trainables.protocol import EpochRecord

STEPS = 10
"""How far a phase has come is told at most so often."""


class LineView:
    """Writes a line for each event but the start of a trial and an epoch.

    Args:
        stream: Where to; standard output if not given.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stdout
        self._progress = Progress()
        self._step = 0

    def __enter__(self) -> LineView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left to do: each line was flushed."""

    @never_raises
    def on_phase(self, text: str) -> None:
        """What the driver is busy with."""
        self._progress.on_phase(text, time.monotonic())
        self._step = 0
        if text:
            self._write(text)

    @never_raises
    def on_progress(self, done: int, total: int) -> None:
        """A line at most every tenth."""
        step = STEPS * done // total
        if step > self._step:
            self._write(f"{self._progress.busy}: {100 * done // total} %")
        self._step = step

    @never_raises
    def on_study(self, spec: StudySpec, trials: Sequence[FrozenTrial], workers: int) -> None:
        """What it is, and what the ledger has of it already."""
        self._progress.on_study(spec, trials, workers, time.monotonic())
        begins = "begins" if not trials else f"goes on with {words.states(self._progress.counts())}"
        self._write(
            f"study {spec.name} {begins}: data {spec.data}, model {spec.model}, space {spec.space}, "
            f"{spec.limits()}, at most {words.count(spec.budget, 'epoch')} a trial, "
            f"{words.count(workers, 'worker')}"
            + (f" of {spec.processes} processes each" if spec.processes > 1 else "")
        )

    @never_raises
    def on_start(self, phase: str, trial: FrozenTrial, resumed_at: int) -> None:
        """No line."""
        self._progress.on_start(phase, trial, resumed_at, time.monotonic())

    @never_raises
    def on_record(self, phase: str, number: int, record: EpochRecord) -> None:
        """No line."""
        self._progress.on_record(phase, number, record, time.monotonic())

    @never_raises
    def on_pause(self, phase: str, number: int) -> None:
        """How far it came, and how far the study is."""
        now = time.monotonic()
        entry = self._progress.on_pause(phase, number, now)
        score = f", score {words.score(entry.best)}" if entry.best is not None else ""
        text = f"trial {number} pauses at epoch {entry.epochs}{score}{self._best()}"
        self._write(f"{text} [{self._standing(phase, now)}]")

    @never_raises
    def on_fault(self, phase: str, number: int, reason: str) -> None:
        """Why it broke off."""
        self._write(broken(phase, self._progress.on_pause(phase, number, time.monotonic()), reason))

    @never_raises
    def on_end(self, phase: str, trial: FrozenTrial) -> None:
        """How it ended, the best so far and how far the study is."""
        now = time.monotonic()
        entry = self._progress.on_end(phase, trial, now)
        text = ending(phase, entry)
        if phase == SEARCH:
            text += self._best()
        self._write(f"{text} [{self._standing(phase, now)}]")

    @never_raises
    def on_race(self, race: Race, trainings: int) -> None:
        """The search is over, and how far the race has come."""
        over = f"search over: {words.states(self._progress.counts())}; "
        begins = self._progress.phase != CONFIRM
        self._progress.on_race(race, trainings, time.monotonic())
        self._write(f"{over if begins else ''}{words.race(race)}")

    @never_raises
    def on_changes(self, changes: int, trainings: int) -> None:
        """The winner is changed."""
        self._progress.on_changes(changes, trainings, time.monotonic())
        self._write(words.changes(changes, trainings))

    @never_raises
    def on_comparison(
        self, specs: Mapping[str, StudySpec], trainings: Sequence[FrozenTrial], workers: int
    ) -> None:
        """What is compared, and what the ledger has of it already."""
        self._progress.on_comparison(specs, trainings, workers, time.monotonic())
        spec, done = next(iter(specs.values())), self._progress.done(COMPARE)
        begins = f"goes on with {done} of " if done else "begins: "
        self._write(
            f"comparison {spec.name} {begins}{words.count(len(trainings), 'training')} of "
            f"{words.listed(list(specs))}, data {spec.data}, {words.count(workers, 'worker')}"
        )

    @never_raises
    def on_note(self, text: str) -> None:
        """What is good to know."""
        self._write(text)

    @never_raises
    def on_trouble(self, text: str) -> None:
        """What went wrong."""
        self._write(f"trouble: {text}")

    @never_raises
    def on_result(self, result: StudyResult) -> None:
        """The study is over."""
        counts = words.states(self._progress.counts())
        try:
            winner = f"winner trial {result.best.number}"
        except LookupError:
            winner = "no winner"
        self._write(f"study {result.name} over: {counts or 'no trials'}; {winner}")

    def _best(self) -> str:
        best = self._progress.best()
        return f", best {words.score(best.best)} (trial {best.number})" if best is not None else ""

    def _standing(self, phase: str, now: float) -> str:
        progress = self._progress
        left = progress.seconds_left(now)
        parts = [progress.standing(phase, now)[0], f"{len(progress.running())} running"]
        if paused := progress.paused():
            parts.append(f"{paused} paused")
        return ", ".join(parts if left is None else [*parts, f"~{words.clock(left)} left"])

    def _write(self, text: str) -> None:
        line = words.one_line(text, 1000) + "\n"
        try:
            self._stream.write(line)
        except UnicodeEncodeError:  # a stream of ASCII only; a reason may hold anything
            self._stream.write(line.encode("ascii", "backslashreplace").decode("ascii"))
        self._stream.flush()


def named(phase: str, entry: Entry) -> str:
    """A trial as people call it: ``trial 12``, ``confirmation 2 (baseline)``, ``change 3 (dropout=0.1)``."""
    if phase == COMPARE:
        return f"{entry.label}, seed {entry.seed}"
    noun = {CONFIRM: "confirmation", PERTURB: "change"}.get(phase)
    if noun is None:
        return f"trial {entry.number}"
    return f"{noun} {entry.number}" + (f" ({entry.label})" if entry.label else "")


def broken(phase: str, entry: Entry, reason: str) -> str:
    """That a trial broke off and goes on: ``trial 12 broke off after epoch 3 and goes on from there: ...``."""
    goes_on = f"after epoch {entry.epochs} and goes on from there" if entry.epochs else "and is begun again"
    return f"{named(phase, entry)} broke off {goes_on}: {words.one_line(reason)}"


def ending(phase: str, entry: Entry) -> str:
    """How a trial ended, as one clause: ``trial 12 PRUNED at epoch 3, score 0.812``."""
    text = f"{named(phase, entry)} {entry.state} at epoch {entry.epochs}"
    if entry.best is not None:
        text += f", score {words.score(entry.best)}"
    if entry.state == "FAIL":
        text += f": {words.one_line(entry.reason) or 'no reason is known'}"
    elif entry.state == "COMPLETE" and entry.reason:  # it ended itself
        text += f": {words.one_line(entry.reason)}"
    return text

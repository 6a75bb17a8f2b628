"""The view for a terminal: a panel that is drawn anew a few times a second, and goes when it is over."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TextIO

from optuna.trial import FrozenTrial
from rich.console import Console
from rich.live import Live
from rich.text import Text

from search.answer.race import Race
from search.result import StudyResult
from search.spec import StudySpec
from search.view import words
from search.view.lines import LineView, broken, ending
from search.view.panel import draw
from search.view.progress import Progress, never_raises
from trainables.protocol import EpochRecord

PERIOD = 0.25
"""Seconds between two drawings when something happened."""
IDLE_PERIOD = 1.0
"""Seconds between two drawings when nothing did: the clock goes on."""


class LiveView:
    """A panel in a terminal.

    What happens is put in a queue, and a thread of its own takes it out, counts and draws: a method
    costs microseconds however slow the terminal is. Shown from ``with`` on; what happens before is kept.

    Args:
        console: Where to; standard output if not given.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console if console is not None else Console(highlight=False)
        self._live = Live(Text(), console=self._console, auto_refresh=False, transient=True)
        self._progress = Progress()
        self._events: deque[tuple[Callable[..., object], tuple[object, ...]]] = deque()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._drawn_at = -IDLE_PERIOD

    def __enter__(self) -> LiveView:
        never_raises(self._live.start)()
        self._thread = threading.Thread(target=self._run, name="live-view", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Print what is still to be told, and take the panel away."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self._finish()

    # -- told by the study --------------------------------------------------------------------------

    def on_phase(self, text: str) -> None:
        """What the driver is busy with."""
        self._tell(self._progress.on_phase, text, time.monotonic())

    def on_progress(self, done: int, total: int) -> None:
        """How far the phase has come."""
        self._tell(self._progress.on_progress, done, total, time.monotonic())

    def on_study(self, spec: StudySpec, trials: Sequence[FrozenTrial], workers: int) -> None:
        """The study begins or goes on."""
        self._tell(self._progress.on_study, spec, trials, workers, time.monotonic())

    def on_start(self, phase: str, trial: FrozenTrial, resumed_at: int) -> None:
        """A trial begins or goes on."""
        self._tell(self._progress.on_start, phase, trial, resumed_at, time.monotonic())

    def on_record(self, phase: str, number: int, record: EpochRecord) -> None:
        """An epoch is done."""
        self._tell(self._progress.on_record, phase, number, record, time.monotonic())

    def on_pause(self, phase: str, number: int) -> None:
        """A trial gives its worker back."""
        self._tell(self._progress.on_pause, phase, number, time.monotonic())

    def on_fault(self, phase: str, number: int, reason: str) -> None:
        """A trial broke off; that is printed above the panel."""
        self._tell(self._broken, phase, number, reason, time.monotonic())

    def on_end(self, phase: str, trial: FrozenTrial) -> None:
        """A trial has its final state; a failure is printed above the panel."""
        self._tell(self._end, phase, trial, time.monotonic())

    def on_race(self, race: Race, trainings: int) -> None:
        """The search is over, and how far the race has come."""
        self._tell(self._progress.on_race, race, trainings, time.monotonic())
        self._tell(self._print, words.race(race), "")

    def on_changes(self, changes: int, trainings: int) -> None:
        """The winner is changed."""
        self._tell(self._progress.on_changes, changes, trainings, time.monotonic())
        self._tell(self._print, words.changes(changes, trainings), "")

    def on_comparison(
        self, specs: Mapping[str, StudySpec], trainings: Sequence[FrozenTrial], workers: int
    ) -> None:
        """Two recipes are compared."""
        self._tell(self._progress.on_comparison, specs, trainings, workers, time.monotonic())

    def on_note(self, text: str) -> None:
        """Printed above the panel."""
        self._tell(self._print, text, "")

    def on_trouble(self, text: str) -> None:
        """Printed above the panel."""
        self._tell(self._print, f"trouble: {text}", "yellow")

    def on_result(self, result: StudyResult) -> None:
        """Nothing: the answer is printed when the panel is gone."""

    def _tell(self, handler: Callable[..., object], *arguments: object) -> None:
        self._events.append((handler, arguments))

    # -- in the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            self._refresh()
            if self._over.wait(PERIOD):
                return

    def _drain(self) -> bool:
        """Take in what was told. Returns whether there was anything."""
        told = bool(self._events)
        while self._events:
            handler, arguments = self._events.popleft()
            never_raises(handler)(*arguments)
        return told

    @never_raises
    def _refresh(self) -> None:
        now = time.monotonic()
        if self._drain() or now - self._drawn_at >= IDLE_PERIOD:
            self._drawn_at = now
            size = self._console.size
            self._live.update(draw(self._progress, now, size.width, size.height), refresh=True)

    @never_raises
    def _finish(self) -> None:
        self._drain()
        try:
            self._live.update(Text(), refresh=True)
        finally:
            self._live.stop()

    def _broken(self, phase: str, number: int, reason: str, now: float) -> None:
        self._print(broken(phase, self._progress.on_pause(phase, number, now), reason), "yellow")

    def _end(self, phase: str, trial: FrozenTrial, now: float) -> None:
        entry = self._progress.on_end(phase, trial, now)
        if entry.state == "FAIL":
            self._print(ending(phase, entry), "red")

    def _print(self, text: str, style: str) -> None:
        self._console.print(Text(words.one_line(text, 600), style=style))


def make_view(stream: TextIO | None = None) -> LiveView | LineView:
    """The panel on a terminal that can move its cursor and is watched by a person, else lines.

    Args:
        stream: Where to; standard output if not given.
    """
    out = stream if stream is not None else sys.stdout
    ci = os.environ.get("CI", "").lower() not in {"", "0", "false"}
    dumb = os.environ.get("TERM", "").lower() in {"dumb", "unknown"}
    unicode = (getattr(out, "encoding", None) or "").lower().startswith("utf")
    if out.isatty() and unicode and not ci and not dumb:
        return LiveView(Console(file=out, highlight=False))
    return LineView(out)

"""What the user sees: fed with what a real ledger says of real trials."""

import errno
import io
import random
import time

import pytest
from optuna.trial import TrialState
from rich.console import Console

from search.answer.race import Race
from search.result import StudyResult
from search.view.lines import LineView
from search.view.live import LiveView, make_view
from search.view.progress import SEARCH
from tests.search.view.parts import Feed, curve, make_spec
from trainables.protocol import EpochRecord


def test_off_a_terminal_the_live_view_prints_only_what_went_wrong() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=False, highlight=False)
    with LiveView(console) as view:
        view.on_study(make_spec(), [], 1)
        feed = Feed(view)
        feed.trial(TrialState.COMPLETE, *curve(0.9))
        feed.trial(TrialState.FAIL, 0.5, reason="diverged: [bold]loss[/] was nan")
        view.on_trouble("MLflow is away")
    assert console.file.getvalue().splitlines() == [
        "trial 1 FAIL at epoch 1, score 0.500: diverged: [bold]loss[/] was nan",
        "trouble: MLflow is away",
    ]


def test_on_a_terminal_the_panel_is_drawn_and_taken_away() -> None:
    console = Console(
        file=io.StringIO(), width=80, height=24, force_terminal=True, no_color=True, highlight=False
    )
    with LiveView(console) as view:
        view.on_study(make_spec(), [], 1)
        Feed(view).trial(TrialState.FAIL, reason="diverged")
        deadline = time.monotonic() + 10
        while "FAIL 1" not in console.file.getvalue() and time.monotonic() < deadline:
            time.sleep(0.02)
    text = console.file.getvalue()
    assert "study digits" in text
    assert "trial 0 FAIL at epoch 0: diverged" in text
    assert text.rstrip().endswith("\x1b[1A\x1b[2K")  # the last thing it did was to clear its last line
    assert "\x1b[?25h" in text  # and the cursor is back
    assert "\x1b[31m" not in text


def test_a_call_costs_microseconds_even_if_the_terminal_stands_still() -> None:
    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            time.sleep(0.05)
            return super().write(text)

    with LiveView(Console(file=Stuck(), width=80, height=24, force_terminal=True)) as view:
        view.on_study(make_spec(), [], 1)
        record = EpochRecord(1, 0.5)
        took = []
        for number in range(500):
            before = time.perf_counter()
            view.on_record(SEARCH, number, record)
            took.append(time.perf_counter() - before)
    assert sorted(took)[250] < 1e-3


@pytest.mark.parametrize("kind", ["lines", "live"])
def test_no_method_raises_whatever_it_is_told(kind: str) -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "the terminal is gone")

    for out in (io.StringIO(), Broken()):
        console = Console(file=out, width=80, force_terminal=True)
        odd = Feed(seed=random.randrange(100))
        empty = odd.trial(TrialState.FAIL)
        with LineView(out) if kind == "lines" else LiveView(console) as view:
            view.on_end(SEARCH, odd.ledgers[SEARCH].trial(empty))  # before the study was told
            view.on_record("nowhere", 3, EpochRecord(1, 0.5))
            view.on_record(SEARCH, 99, EpochRecord(1, float("nan"), {"val/loss": float("nan")}))
            view.on_progress(0, 0)
            view.on_study(make_spec(finalists=0), odd.known(), 1)
            feed = Feed(view)
            number = feed.start()
            feed.records(number, float("nan"), 0.5, float("inf"))
            feed.end(number, TrialState.PRUNED)
            view.on_race(Race([], 0, over=True), 0)
            view.on_trouble("[/] \x1b[2J \ud800")
            view.on_result(StudyResult("digits", []))


def test_a_view_for_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    def terminal(encoding: str = "utf-8") -> Terminal:
        return Terminal(io.BytesIO(), encoding=encoding)

    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert isinstance(make_view(terminal()), LiveView)
    assert isinstance(make_view(terminal("ascii")), LineView)
    assert isinstance(make_view(io.StringIO()), LineView)
    monkeypatch.setenv("CI", "true")
    assert isinstance(make_view(terminal()), LineView)
    monkeypatch.setenv("CI", "false")
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_view(terminal()), LineView)

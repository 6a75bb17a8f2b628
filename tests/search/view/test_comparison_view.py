"""Two recipes that are compared, as they are watched: the panel, and lines."""

from __future__ import annotations

import io

from optuna.trial import TrialState
from rich.console import Console

from search.view.lines import LineView
from search.view.panel import draw
from search.view.progress import COMPARE
from tests.search.view.parts import Clocked, Feed, curve, make_spec

SPECS = {"A": make_spec(name="a-vs-b"), "B": make_spec(name="a-vs-b", epochs=10)}


def begun(view, feed: Feed, seeds: int = 3) -> None:
    """A's and B's trainings by turns; the first pair is over from an earlier start."""
    for seed in range(seeds):
        for label in SPECS:
            feed.enqueue(label, 100 + seed, COMPARE)
    silent = feed.views
    feed.views = ()
    feed.trial(TrialState.COMPLETE, *curve(0.9), phase=COMPARE)
    feed.trial(TrialState.COMPLETE, *curve(0.8, 10), phase=COMPARE)
    feed.views = silent
    view.on_comparison(SPECS, feed.ledgers[COMPARE].trials(), 2)


def test_the_panel_of_a_comparison() -> None:
    view = Clocked()
    feed = Feed(view)
    begun(view, feed)
    for epoch in (1, 2, 3):
        view.now += 2.0
        if epoch == 1:
            running = [feed.start(COMPARE), feed.start(COMPARE)]
        for number in running:
            feed.records(number, 0.5, phase=COMPARE, first=epoch)
    console = Console(file=io.StringIO(), width=80, height=24, record=True, highlight=False)
    console.print(draw(view.progress, view.now, 80, 24))
    text = console.export_text()
    assert "comparison a-vs-b · data digits · model glyphs" in text
    assert "2/6 trainings" in text
    assert "COMPLETE 2  running 2" in text
    assert "search" not in text
    assert "mean score so far  A 0.896 (1 seed)  B 0.692 (1 seed)" in text
    rows = [" ".join(line.split()) for line in text.splitlines() if "seed 10" in line]
    assert "A, seed 101" in rows[0]
    assert "3/27" in rows[0]
    assert "B, seed 101" in rows[1]
    assert "3/10" in rows[1]  # of its own epochs
    # Six records in four seconds between the first and the last; of each recipe one and a rest are to come.
    rate = 5 / 4
    assert view.progress.seconds_left(view.now) == (24 + 7 + 27 + 10) / rate


def test_the_lines_of_a_comparison() -> None:
    out = io.StringIO()
    view = LineView(out)
    feed = Feed(view)
    begun(view, feed)
    feed.trial(TrialState.COMPLETE, *curve(0.9), phase=COMPARE)
    feed.trial(TrialState.FAIL, 0.3, reason="diverged", phase=COMPARE)
    lines = out.getvalue().splitlines()
    assert lines[0] == "comparison a-vs-b goes on with 2 of 6 trainings of A and B, data digits, 2 workers"
    assert lines[1].startswith("A, seed 101 COMPLETE at epoch 27, score 0.896 [3/6 trainings, 0 running")
    assert lines[2].startswith("B, seed 101 FAIL at epoch 1, score 0.300: diverged [4/6 trainings")

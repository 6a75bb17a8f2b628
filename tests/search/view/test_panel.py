import io
import math

import pytest
from optuna.trial import TrialState
from rich.console import Console

from search.view.panel import draw
from search.view.progress import CONFIRM, SEARCH, Progress
from tests.search.view.parts import BUDGET, RACE, Clocked, Feed, curve, make_spec
from trainables.protocol import EpochRecord


def drawn(progress: Progress, now: float, width: int = 80, height: int = 24) -> str:
    console = Console(file=io.StringIO(), width=width, height=height, record=True, highlight=False)
    console.print(draw(progress, now, width, height))
    return console.export_text()


def busy_study(running: int = 2) -> Clocked:
    view = Clocked()
    feed = Feed(view)
    view.on_study(make_spec(trials=40), [], running)
    for trial in range(6):
        view.now += 9.0
        feed.trial(TrialState.COMPLETE if trial % 3 == 0 else TrialState.PRUNED, *curve(0.9 + trial / 100))
    feed.trial(TrialState.FAIL, reason="diverged")
    for _ in range(running):
        feed.records(feed.start(), 0.6, 0.5)
    return view


def test_the_panel_says_where_the_study_stands() -> None:
    view = busy_study()
    text = drawn(view.progress, view.now)
    lines = text.splitlines()
    assert all(len(line) == 76 for line in lines)  # room for what the terminal echoes
    assert len(lines) <= 23
    assert "study digits · data digits · model glyphs" in lines[0]
    assert "7/40 trials" in text
    assert "COMPLETE 2  PRUNED 4  FAIL 1  running 2" in text
    assert "best so far 0.926  trial 3" in text
    assert f"{6 * BUDGET + 4} epochs trained, 0 saved by pruning" in text
    rows = [line for line in lines if "2/27" in line]
    assert [row.split()[1] for row in rows] == ["7", "8"]
    assert all(" 0.500  0.600 " in row for row in rows)


@pytest.mark.parametrize(("width", "height"), [(24, 24), (40, 24), (80, 14), (80, 24), (200, 60)])
def test_the_panel_fits_any_terminal(width: int, height: int) -> None:
    view = busy_study(running=30)
    lines = drawn(view.progress, view.now, width, height).splitlines()
    assert max(len(line) for line in lines) <= width
    assert len(lines) < max(height, 13)
    assert "more running" in "".join(lines)


def test_the_panel_of_a_confirmation() -> None:
    view = busy_study(running=0)
    feed = Feed(view)
    feed.enqueue("baseline", 1)
    feed.enqueue("trial 3", 1)
    view.on_race(RACE, 12)
    feed.trial(TrialState.COMPLETE, *curve(0.9), phase=CONFIRM)
    feed.records(feed.start(CONFIRM), 0.7, phase=CONFIRM)
    text = drawn(view.progress, view.now)
    assert "1/12 trainings" in text
    assert "COMPLETE 1  running 1" in text
    assert "(search: 2 COMPLETE, 4 PRUNED, 1 FAIL)" in text
    assert "3 again" in text


def test_the_panel_before_the_first_trial() -> None:
    view = Clocked()
    assert "finetune-search" in drawn(view.progress, 0.0)
    view.on_phase("preparing data and weights")
    view.on_progress(30, 120)
    assert "preparing data and weights: 25 %" in drawn(view.progress, 0.0)


def test_forty_metrics_an_epoch_do_not_clutter_the_panel() -> None:
    rich = {**{f"lr/layer_{index}": 1e-3 for index in range(40)}, "val/loss": math.nan, "lr": math.inf}
    panels = []
    for metrics in ({}, rich):
        clocked = busy_study()
        number = clocked.progress.running()[0].number
        clocked.on_record(SEARCH, number, EpochRecord(9, 0.7, metrics))
        panels.append(drawn(clocked.progress, 20.0))
    assert panels[0] == panels[1]
    assert "lr/layer" not in panels[1]

"""What mattered, and what changes do, as a person reads it."""

from __future__ import annotations

import io
from functools import lru_cache

import pytest
from rich.console import Console

from search.answer.changes import Change, Changes
from search.insight.insight import Insight, insight_of
from search.view.changes import render_changes
from search.view.insight import render_insight
from tests.search.insight.planted import planted
from tests.search.view.parts import flat


@lru_cache
def insight() -> Insight:
    return insight_of(planted(0, trials=60))


def printed(render, value, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    render(value, console)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_what_mattered_is_a_table_with_the_best_and_the_worst_value(width):
    text = printed(render_insight, insight(), width)
    lines = text.splitlines()
    assert all(len(line) <= width for line in lines)
    rows = [line for line in lines if line.startswith(("strategy ", "augment ", "strategy.*.lr "))]
    assert len(rows) == 3
    assert ("PED-ANOVA" in text) == (width >= 100)
    strategy = next(line for line in rows if line.startswith("strategy "))
    assert "head" in strategy  # the worst
    assert "±" in strategy
    assert "Not told from chance, being small or tried too little:" in flat(text)
    assert "dropout" in flat(text).partition("Not told")[2]


def test_whether_stopping_early_was_safe_is_said_in_two_sentences():
    text = flat(printed(render_insight, insight()))
    assert "After epoch 3 the best trial was number" in text
    assert "scores there and at the end correlate by 0." in text
    assert "stopped early," in text


def test_of_too_few_trials_nothing_is_printed_and_of_nothing_told_that():
    assert printed(render_insight, Insight()) == ""
    nothing = insight_of(planted(0, trials=40, score=lambda params: 0.8, haste=0.0))
    assert "No parameter's effect is told from chance by these trials." in flat(
        printed(render_insight, nothing)
    )


CHANGES = Changes(
    params={"lr": 3e-3, "dropout": 0.3},
    scores={1: 0.9, 2: 0.92},
    changes=[
        Change("lr", 3e-3, 1e-3, {}, {1: 0.8, 2: 0.82}, effect=-0.1, margin=0.03),
        Change("lr", 3e-3, 9e-3, {}, {}, failed=2),
        Change("dropout", 0.3, 0.1, {}, {1: 0.91, 2: 0.93}, effect=0.01, margin=0.03),
        Change("dropout", 0.3, 0.0, {}, {1: 0.95, 2: 0.97}, effect=0.05, margin=0.03),
    ],
    seeds=2,
    left=1,
)


def test_changes_are_a_chart_and_sentences():
    text = printed(render_changes, CHANGES)
    lines = text.splitlines()
    assert all(len(line) <= 80 for line in lines)
    worse, failing, close, better = (
        next(line for line in lines if values in line)
        for values in ("3e-3 → 1e-3", "3e-3 → 9e-3", "0.3 → 0.1", "0.3 → 0 ")
    )
    assert worse.split()[4:7] == ["-0.100", "±", "0.030"]
    assert worse.rstrip().endswith("worse")
    assert "2 failed" in failing
    assert failing.rstrip().endswith("fails")
    assert "┼" in close  # the interval has zero
    assert better.rstrip().endswith("better")
    bar = worse[worse.index("─") :]
    assert bar.index("●") < bar.index("│")  # left of zero
    said = flat(text)
    assert "dropout=0 makes the winner better" in said
    assert "It is sensitive to lr." in said
    assert "1 training to go" in said


def test_of_a_single_seed_no_verdict_is_made_up():
    once = [Change("lr", 3e-3, 1e-3, {}, {1: 0.8}, effect=-0.1)]
    said = flat(printed(render_changes, Changes({}, {1: 0.9}, once, seeds=1)))
    assert "-0.100" in said
    assert "With a single seed nothing says how much of it is chance" in said
    assert "intervals" not in said
    assert "No change makes" not in said


@pytest.mark.parametrize("width", [80, 90, 100, 140])
def test_names_are_not_broken_where_there_is_room(width):
    long = [
        Change("augmentation_strength", 0.15, 0.274, {}, {1: 0.9}, effect=-0.002, margin=0.01),
        Change("strategy", "full", "gradual_unfreezing", {}, {1: 0.9}, effect=-0.018, margin=0.01),
    ]
    text = printed(render_changes, Changes({}, {1: 0.9, 2: 0.9}, long, seeds=2), width)
    assert "augmentation_strength  " in text
    assert "full → gradual_unfreezing" in text
    assert all(len(line) <= width for line in text.splitlines())


def test_a_narrow_console_has_no_chart():
    text = printed(render_changes, CHANGES, 60)
    assert "●" not in text
    assert "-0.100 ± 0.030" in text

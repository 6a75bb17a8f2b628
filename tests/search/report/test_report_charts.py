"""Charts: round values at their axes, labels apart from each other, marks where they belong."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from search.report.charts.curves import Curve, curves, thinned
from search.report.charts.forest import Twig, forest
from search.report.charts.heat import heat
from search.report.charts.parallel import Coordinate, Thread, parallel
from search.report.charts.progress import Dot, progress
from search.report.charts.scale import LETTER, Scale, scores
from search.report.markup import element, joined
from search.report.values import kind_of
from spaces import Choice, Float, Int
from tests.search.report.reading import Node, read


@pytest.mark.parametrize(
    ("scale", "labels"),
    [
        (Scale(0, 1, 0, 100), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (Scale(0.06, 0.94, 0, 100), ["0.2", "0.4", "0.6", "0.8"]),
        (Scale(-0.07, 0.07, 0, 100), ["−0.050", "−0.025", "0", "0.025", "0.050"]),
        (Scale(0, 39, 0, 100, "whole"), ["0", "10", "20", "30"]),
        (Scale(1, 3, 0, 100, "whole"), ["1", "2", "3"]),
        (Scale(1e-5, 1e-2, 0, 100, "log"), ["1e-5", "1e-4", "1e-3", "0.01"]),
        (Scale(0.02, 0.08, 0, 100, "log"), ["0.02", "0.05"]),
        (Scale(8, 64, 0, 100, "binary"), ["8", "16", "32", "64"]),
        (Scale(0.3, 0.995, 0, 300, "close"), ["0.5", "0.8", "0.9", "0.95", "0.98", "0.99", "0.995"]),
        (Scale(0, 250_000, 0, 100), ["0", "5e4", "1e5", "1.5e5", "2e5", "2.5e5"]),
    ],
)
def test_axes_are_marked_at_round_values(scale, labels):
    assert [scale.label(tick) for tick in scale.ticks()] == labels


def test_an_axis_keeps_what_is_beyond_it_at_its_ends():
    scale = Scale(0, 10, 5, 105)
    assert (scale(-1), scale(0), scale(5), scale(10), scale(99)) == (5, 5, 55, 105, 105)
    close = Scale(0, 0.99, 0, 100, "close")
    assert close(0.99) - close(0.9) == pytest.approx(close(0.9) - close(0))
    assert math.isfinite(close(1.0))
    assert Scale(3, 3, 0, 10)(3) == 5


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0.1, 0.97], "close"),
        ([0.1, 1.0], "close"),
        ([0.1, 0.7], "linear"),
        ([-3.0, 0.95], "linear"),
        ([0.5], "linear"),
    ],
)
def test_scores_that_come_near_1_are_spread(values, kind):
    scale = scores(values, 0, 100)
    assert scale.kind == kind
    assert all(0 <= scale(value) <= 100 for value in values)
    assert scale.low < scale.high


def test_domains_have_axes_of_their_kind():
    assert kind_of(Float(1e-5, 1e-2, log=True)) == "log"
    assert kind_of(Float(0, 1)) == "linear"
    assert kind_of(Int(8, 64, log=True)) == "binary"
    assert kind_of(Int(1, 100_000, log=True)) == "log"
    assert kind_of(Int(1, 9)) == "whole"
    assert kind_of(Choice(("a", "b"))) is None


def boxes(chart: Node) -> list[tuple[float, float, float, str]]:
    """Left, right and baseline of each text that stands upright."""
    found = []
    for node in chart.all("text"):
        if "x" not in node.attributes or not node.text:
            continue
        x, y, wide = float(node.attributes["x"]), float(node.attributes["y"]), LETTER * len(node.text)
        anchor = node.attributes.get("text-anchor", "start")
        left = x - {"start": 0, "middle": wide / 2, "end": wide}[anchor]
        found.append((left, left + wide, y, node.text))
    return found


def check_apart(chart: str) -> Node:
    """No two labels of a line touch, and none leaves the drawing by more than a few letters."""
    root = read(chart)
    labels = sorted(boxes(root), key=lambda box: (box[2], box[0]))
    for (_, right, y, one), (left, _, other_y, other) in pairwise(labels):
        assert y != other_y or left >= right - 1, f"{one!r} touches {other!r}"
    return root


LONG = "a_very_long_name_of_an_option_that_nobody_would_type"


def test_labels_do_not_touch():
    lines = [
        Curve("one", [(1, 0.2), (30, 0.981)], "winner"),
        Curve("two", [(1, 0.2), (30, 0.980)], "baseline"),
        Curve("three", [(1, 0.2)], "pruned"),
    ]
    root = check_apart(curves("Scores", lines, 30))
    winner, baseline = (next(box for box in boxes(root) if box[3] == name) for name in ("winner", "baseline"))
    assert abs(winner[2] - baseline[2]) >= 12
    check_apart(progress("Scores", [Dot(n, n / 2000, "complete", "") for n in range(2000)]))
    axes = [
        Coordinate("lr", "log", 1e-6, 1.0),
        Coordinate(LONG, None, 0, 6, [LONG, "b", LONG, "none", "e", LONG, "last one"], lacking=True),
        Coordinate("x", "linear", 0, 1, lacking=True),
    ]
    check_apart(parallel("Trials", axes, [Thread("one", [0.1, None, 0.5], 3)]))
    check_apart(
        heat("Means", (LONG, "lr"), [LONG, "b"], [1e-4, 1e-3, 1e-2], [[0.1, 0.2, 0.3], [0.1, math.nan, 0.5]])
    )
    twigs = [
        Twig("strategy, the winner's: full", f"→ {LONG}", -0.1, 0.02, "−0.100 ± 0.020 worse", "worse"),
        Twig("strategy, the winner's: full", "→ b", 0.1, 0.02, "+0.100 ± 0.020 better", "better"),
        Twig("dropout", "→ 0", None, None, "3 failed", "worse"),
    ]
    check_apart(forest("Effects", twigs))


def test_a_recipe_without_a_parameter_passes_its_axis_beside_it():
    axes = [Coordinate("lr", "linear", 0, 1), Coordinate("ratio", "linear", 0, 1, lacking=True)]
    threads = [Thread("with", [0.5, 0.0], 6, won=True), Thread("without", [0.5, None], 0)]
    root = read(parallel("Trials", axes, threads))
    lines = {node.text: str(node.attributes["d"]) for node in root.all("path")}
    there, missing = (float(lines[name].split("L")[1].split()[0]) for name in ("with", "without"))
    assert missing < there - 20
    assert [node.attributes["class"] for node in root.all("path")] == ["thread l0", "thread winner"]


def test_long_curves_keep_their_last_point():
    points = [(epoch, epoch / 1000) for epoch in range(1, 1001)]
    kept = thinned(points)
    assert len(kept) <= 61
    assert kept[-1] == points[-1]
    assert thinned(points[:10]) == points[:10]


def test_markup_is_made_of_escaped_text():
    made = element(
        "p", "a < b", joined([element("b", "&"), '"']), class_="x", hidden=True, title='<"', lang=None
    )
    assert made == '<p class="x" hidden title="&lt;&quot;">a &lt; b<b>&amp;</b>&quot;</p>'

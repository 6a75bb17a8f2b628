"""How good the winner is beyond its accuracy, as a person reads it."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from search.result import StudyResult
from search.view.soundness import inspected, judged, render_inspection, render_soundness
from tests.search.report.parts import a_report, sound
from tests.search.report.parts import inspected as looked_at
from tests.search.view.parts import flat
from trainables.soundness.figures import Bin, Figures, Reliability
from trainables.soundness.soundness import ClassCounts, Confusion


def printed(render, *values, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    render(*values, console)
    return console.file.getvalue()


def figures(confidence: float, accuracy: float) -> Figures:
    one = Bin(0.0, 1.0, 100, confidence, accuracy)
    return Figures(0.1, 0.1, 0.1, 0.1, Reliability((one,), abs(confidence - accuracy), 0.1))


@pytest.mark.parametrize("width", [50, 80, 140])
def test_a_study_that_was_confirmed_and_inspected_says_both(width):
    report = a_report()
    text = printed(render_soundness, report.result, report.inspection, width=width)
    assert all(len(line) <= width for line in text.splitlines())
    said = flat(text)
    assert "Is the winner good, not only accurate" in said
    assert "The winner's 3 networks are, on average, right on" in said
    assert "of 300 test images." in said
    assert "validation images spoilt in" in said
    assert (
        "Its loss on training images is 0.1; with weights that are off by a tenth, in 2 random directions, 0.12"
        in said
    )


def test_nothing_is_said_where_nothing_is_known():
    assert printed(render_soundness, StudyResult("bare", ()), None) == ""


def test_what_inspect_says_at_once():
    text = flat(printed(render_inspection, looked_at(3), "finetune-search report planted"))
    assert "The winner's network is right on" in text
    assert "of 300 validation images, which chose its epoch, so that all this flatters it a little." in text
    assert "val/0.png: class 1, taken for class 0 with 99.0 %" in text
    assert text.endswith("finetune-search report planted # with pictures")
    grey = replace(looked_at(3), robustness=None, unspoilt="images of 7 channels are not what it is made for")
    assert "Not spoilt: images of 7 channels are not what it is made for." in flat(
        printed(render_inspection, grey, "x")
    )


def test_the_families_and_the_worst_of_spoilt_images_are_named():
    found = looked_at(3).robustness
    first, second, *_ = inspected(looked_at(3))
    for family, share in found.families.items():
        assert f"{family} {100 * share:.1f} %" in first
    means = {name: sum(each) / len(each) for name, each in found.accuracies.items()}
    worst = min(means, key=lambda name: means[name])
    assert second.startswith(f"It minds most {worst.replace('_', ' ')} ({100 * means[worst]:.1f} %)")


@pytest.mark.parametrize(
    ("confidence", "accuracy", "chance", "says"),
    [
        (0.9, 0.8, 0.03, "It is too sure of itself: "),
        (0.7, 0.8, 0.03, "It is not sure enough of itself: "),
        (
            0.82,
            0.8,
            0.03,
            "It is as often right as it says, as far as so few images tell: the two are 2.0 points",
        ),
    ],
)
def test_whether_confidence_is_what_it_says_is_held_against_chance(confidence, accuracy, chance, says):
    found = replace(sound(), before=figures(confidence, accuracy), chance=chance, after=None)
    [told] = [one for one in judged(found, "test") if one.startswith("It is")]
    assert told.startswith(says)
    assert "temperature" not in told
    warm = replace(found, after=figures(0.81, 0.8), temperature=1.5)
    [told] = [one for one in judged(warm, "test") if one.startswith("It is")]
    assert "Outputs divided by 1.50, a temperature fitted on validation images, leave 1.0" in told


def test_classes_are_named_where_that_is_no_chance_and_the_least_recognised_where_it_is():
    rows = tuple(ClassCounts(60, 60, right) for right in (57, 54, 57, 57, 57))
    found = replace(sound(), networks=1, images=300, classes=rows, confusions=(Confusion(1, 2, 6),))
    said = " ".join(judged(found, "test"))
    assert (
        "No class is recognised more seldom than the others beyond chance; least often class 1 (90.0 % of 60)."
        in said
    )
    assert "The most frequent mistake is to take class 1 for class 2: 10.0 % of its images." in said
    many = tuple(ClassCounts(60, 60, right) for right in [12] * 7 + [60] * 20)
    names = tuple(f"c{label}" for label in range(27))
    told = judged(replace(found, images=1620, labels=names, classes=many, confusions=()), "test")[1]
    assert told.endswith("c3 (20.0 % of 60) and c4 (20.0 % of 60) and 2 more.")


def test_no_escape_sequence_of_a_class_or_a_file_gets_through():
    nasty = replace(sound(), labels=("\x1b[31m a",) * 5)
    found = replace(looked_at(3), soundness=nasty, misses=[replace(looked_at(3).misses[0], name="\x1b[2J")])
    assert "\x1b" not in printed(render_inspection, found, "x")

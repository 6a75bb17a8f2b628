"""How good the winner is beyond its accuracy, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from rich.console import Console

from search.inspection.inspection import Inspection
from search.result import StudyResult
from search.view import words
from search.view.say import say
from trainables.soundness.figures import Flatness, Robustness
from trainables.soundness.soundness import Soundness

MOST = 5
"""Classes, corruptions or mistakes that are named."""


def render_soundness(result: StudyResult, inspection: Inspection | None, console: Console) -> None:
    """Print what is known; nothing where that is nothing.

    Args:
        result: The study.
        inspection: What was found of the winner's network.
        console: Where to.
    """
    found = soundness_of(result, inspection)
    said = judged(*found) if found is not None else []
    said += inspected(inspection) if inspection is not None else []
    if not said:
        return
    console.print()
    say(console, "Is the winner good, not only accurate", "bold")
    for sentence in said:
        say(console, sentence)


def render_inspection(found: Inspection, report: str, console: Console) -> None:
    """Print what `inspect` found.

    Args:
        found: Of the winner's network.
        report: The command that shows its pictures.
        console: Where to.
    """
    said = [*judged(found.soundness, "validation"), *inspected(found)]
    for sentence in said:
        say(console, sentence)
    if found.misses:
        console.print()
        say(console, "Its surest mistakes", "bold")
        for line in surest(found):
            say(console, line, copied=True)
    console.print()
    say(console, f"{report}  # with pictures", copied=True)


def soundness_of(result: StudyResult, inspection: Inspection | None) -> tuple[Soundness, str] | None:
    """On the test split where that was opened, else on validation images; and which images these are, in words."""
    answer = result.answer
    if answer is not None and answer.winner.soundness is not None:
        return answer.winner.soundness, "test"
    return None if inspection is None else (inspection.soundness, "validation")


def judged(found: Soundness, kind: str) -> list[str]:
    """What networks of the winner's recipe are worth beyond their accuracy.

    Args:
        found: On which images.
        kind: ``test`` or ``validation``.
    """
    whose = "network is" if found.networks == 1 else f"{found.networks} networks are, on average,"
    hopeful = ", which chose its epoch, so that all this flatters it a little" if kind == "validation" else ""
    return [
        f"The winner's {whose} right on {words.percent(found.accuracy)} of {found.images} {kind} images{hopeful}.",
        *_classes(found),
        *_confidence(found),
        *_deferral(found, kind),
    ]


def _classes(found: Soundness) -> list[str]:
    weak = found.weak()
    if weak:
        named = words.listed([f"{name_of(found, label)} ({_recall(found, label)})" for label in weak[:MOST]])
        more = f" and {len(weak) - MOST} more" if len(weak) > MOST else ""
        said = [f"Recognised more seldom than the others, beyond chance: {named}{more}."]
    else:
        known = [label for label, one in enumerate(found.classes) if one.images]
        least = min(known, key=lambda label: found.classes[label].recall or 0.0)
        said = [
            f"No class is recognised more seldom than the others beyond chance; least often {name_of(found, least)} "
            f"({_recall(found, least)})."
        ]
    if found.confusions:
        first = found.confusions[0]
        share = first.images / found.classes[first.true].images
        said.append(
            f"The most frequent mistake is to take {name_of(found, first.true)} for {name_of(found, first.guessed)}: "
            f"{words.percent(share)} of its images."
        )
    return said


def _confidence(found: Soundness) -> list[str]:
    before = found.before.reliability
    points = f"{100 * before.ece:.1f} points"
    filled = [one for one in before.bins if one.count]
    surer = sum(one.count * ((one.confidence or 0.0) - (one.accuracy or 0.0)) for one in filled) > 0
    if before.ece <= found.chance:
        said = (
            f"It is as often right as it says, as far as so few images tell: the two are {points} apart on average, "
            f"and chance alone gives up to {100 * found.chance:.1f}."
        )
    else:
        said = (
            f"It is {'too' if surer else 'not'} sure {'of itself' if surer else 'enough of itself'}: how often it is "
            f"right and how often it says so are {points} apart on average, where chance gives "
            f"{100 * found.chance:.1f} at most."
        )
    if found.after is not None and found.temperature is not None:
        said += (
            f" Outputs divided by {found.temperature:.2f}, a temperature fitted on validation images, leave "
            f"{100 * found.after.reliability.ece:.1f}; `best --export` divides its network's by its own."
        )
    return [said]


def _deferral(found: Soundness, kind: str) -> list[str]:
    deferral = found.deferral
    if deferral is None:
        return []
    chosen = "" if kind == "validation" else ", a threshold that halved the errors on validation images"
    return [
        f"If what it is less sure of than {deferral.threshold:.2f} goes to somebody else{chosen}, that is "
        f"{words.percent(1 - deferral.coverage)} of the images, and of the rest {words.percent(deferral.accuracy)} "
        "are right."
    ]


def inspected(found: Inspection) -> list[str]:
    """What was found of the winner's network itself."""
    said = spoilt(found.robustness) if found.robustness is not None else [f"Not spoilt: {found.unspoilt}."]
    if found.flatness is not None:
        said.append(flat(found.flatness))
    return said


def spoilt(found: Robustness) -> list[str]:
    """What is left of its accuracy on images that are spoilt."""
    means = sorted((fmean(each), name) for name, each in found.accuracies.items())
    kept = f", {found.relative:.0%} of what it has on them as they are" if found.relative is not None else ""
    families = words.listed([f"{name} {words.percent(share)}" for name, share in found.families.items()])
    return [
        f"On {found.images} validation images spoilt in {len(means)} ways and five severities "
        f"{words.percent(found.mean)} are right{kept} ({words.percent(found.clean)}): {families}.",
        f"It minds most {words.listed([f'{_plain(name)} ({words.percent(mean)})' for mean, name in means[:3]])}.",
    ]


def flat(found: Flatness) -> str:
    """How much the loss minds weights that are off."""
    return (
        f"Its loss on training images is {words.number(found.loss)}; with weights that are off by a tenth, in "
        f"{len(found.rises)} random directions, {words.number(found.loss + found.mean_rise)} on average; one step of "
        f"length 0.05 up the gradient, {words.number(found.loss + found.worst_rise)}."
    )


def surest(found: Inspection) -> list[str]:
    """Its surest mistakes, a line each."""
    return [
        f"{words.printable(one.name)}: {name_of(found.soundness, one.true)}, taken for "
        f"{name_of(found.soundness, one.guessed)} with {words.percent(one.confidence)}"
        for one in found.misses[:MOST]
    ]


def name_of(found: Soundness, label: int) -> str:
    """A class as it is printed."""
    return words.one_line(found.labels[label], 40)


def _recall(found: Soundness, label: int) -> str:
    one = found.classes[label]
    return f"{words.percent(one.recall or 0.0)} of {round(one.images / found.networks)}"


def _plain(name: str) -> str:
    return name.replace("_", " ")


def listed_classes(found: Soundness) -> Sequence[int]:
    """Classes that have images, the one that is recognised least often first."""
    known = [label for label, one in enumerate(found.classes) if one.images]
    return sorted(known, key=lambda label: (found.classes[label].recall or 0.0, label))

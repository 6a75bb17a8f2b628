"""Is the winner good, not only accurate: its classes, its confidence, spoilt images, its surest mistakes."""

from __future__ import annotations

import math

from search.inspection.inspection import Alike, Inspection, Miss
from search.report.charts.coverage import coverage
from search.report.charts.heat import heat
from search.report.charts.reliability import reliability
from search.report.markup import NOTHING, Markup, bound, element, joined
from search.report.report import Report
from search.report.sections.parts import command, figure, paragraphs, section, table
from search.view import words
from search.view.soundness import inspected, judged, listed_classes, name_of, soundness_of
from trainables.soundness.figures import Robustness
from trainables.soundness.soundness import GRID, Soundness

DRAWN = 10
"""Classes of a confusion matrix that fits a phone; of more the most frequent pairs are listed."""

LISTED, MOST = 15, 400
"""Classes, and pairs of them, that are listed at once; and of classes those that can be unfolded."""


def soundness(report: Report) -> Markup:
    """The section; where nobody has looked yet, how one can."""
    winner, inspection = report.winner, report.inspection
    if winner is None:
        return NOTHING
    found = soundness_of(report.result, inspection)
    offer = NOTHING
    if inspection is None:
        offer = joined(
            [
                paragraphs(["This spoils images in seventeen ways and shows the surest mistakes:"]),
                command(f"finetune-search inspect {report.result.name}{report.elsewhere}"),
            ]
        )
    return section(
        "soundness",
        "Is it good, not only accurate",
        _judged(*found) if found is not None else NOTHING,
        _inspected(inspection) if inspection is not None else offer,
    )


def _judged(found: Soundness, kind: str) -> Markup:
    before, after = found.before.reliability, found.after
    diagram = reliability(
        "Share of the images that is right by confidence",
        before.bins,
        None if after is None else after.reliability.bins,
    )
    outlined = " Outlined: as the network says; filled: with the temperature." if after is not None else ""
    return joined(
        [
            paragraphs(judged(found, kind)),
            element(
                "div",
                figure(
                    diagram,
                    "Confidence",
                    f"On the dotted line it is right as often as it says; areas are shares of the images.{outlined}",
                ),
                figure(
                    coverage("Accuracy by the share of the images that is answered", GRID, found.coverage),
                    "Accuracy against coverage",
                    "The images that it is surest of come first.",
                ),
                _confusions(found),
                _classes(found),
                class_="charts",
            ),
        ]
    )


def _confusions(found: Soundness) -> Markup:
    if not found.confusions:
        return NOTHING
    labels = [name_of(found, label) for label in range(len(found.labels))]
    if len(labels) > DRAWN:
        rows = [
            [
                labels[one.true],
                labels[one.guessed],
                words.percent(one.images / found.classes[one.true].images),
            ]
            for one in found.confusions[:LISTED]
        ]
        pairs = table(["images of", "taken for", "share"], rows, words=(0, 1))
        return figure(pairs, "Most frequent mistakes", "Shares of a class's images.")
    cells = [[math.nan] * len(labels) for _ in labels]
    for one in found.confusions:
        cells[one.true][one.guessed] = one.images / found.classes[one.true].images
    matrix = heat("Mistakes by true and by given class", ("true", "given"), labels, labels, cells)
    return figure(
        matrix, "What is taken for what", "Shares of a true class's images; what is empty never happened."
    )


def _classes(found: Soundness) -> Markup:
    order = listed_classes(found)
    rows = [_class(found, label) for label in order[:MOST]]
    heads = ["class", "images", "recognised", "right when named"]
    first, note = table(heads, rows[:LISTED], words=(0,)), "The least recognised first."
    if len(rows) <= LISTED:
        return figure(first, "By class", note)
    left = len(order) - len(rows)
    rest = element(
        "details",
        element("summary", f"The other {len(rows) - LISTED} classes"),
        table(heads, rows[LISTED:], words=(0,)),
        paragraphs([f"{left} more are in the file of figures."] if left else [], "quiet"),
    )
    return figure(joined([first, rest]), "By class", note)


def _class(found: Soundness, label: int) -> list[str]:
    one = found.classes[label]
    precision = words.NONE if one.precision is None else words.percent(one.precision)
    images = round(one.images / found.networks)
    return [name_of(found, label), str(images), words.percent(one.recall or 0.0), precision]


# -- the winner's network itself ------------------------------------------------------------------------


def _inspected(found: Inspection) -> Markup:
    return joined(
        [
            element("h3", "The winner's own network, looked at"),
            paragraphs(
                [
                    "On validation images, so that nobody gets to know the test images: who looks at those tunes to "
                    "them."
                ],
                "quiet",
            ),
            paragraphs(inspected(found)),
            element("div", _spoilt(found.robustness), class_="charts")
            if found.robustness is not None
            else NOTHING,
            _gallery(found),
        ]
    )


def _spoilt(found: Robustness) -> Markup:
    names = [name.replace("_", " ") for name in found.accuracies]
    cells = [list(each) for each in found.accuracies.values()]
    severities = range(1, len(cells[0]) + 1)
    chart = heat("Accuracy by corruption and severity", ("corruption", "severity"), names, severities, cells)
    note = f"As they are: {words.score(found.clean)}. Severity 1 is hardly worse, 5 hardly there."
    return figure(chart, "Accuracy on spoilt images", note)


def _gallery(found: Inspection) -> Markup:
    if not found.misses:
        return paragraphs(["No validation image is taken for another."])
    near = (
        ""
        if not found.known
        else f" Beside each, those of {found.known} training images most alike to the network."
    )
    return joined(
        [
            element("h3", "Its surest mistakes"),
            paragraphs(
                [
                    "The surest first. Labels that are wrong show here too: a sound network is sure of what it "
                    f"sees.{near}"
                ],
                "quiet",
            ),
            element("div", *(_miss(found.soundness, one) for one in found.misses), class_="gallery"),
        ]
    )


def _miss(found: Soundness, one: Miss) -> Markup:
    true, guessed = name_of(found, one.true), name_of(found, one.guessed)
    name = words.one_line(one.name, 60)
    return element(
        "figure",
        element(
            "div",
            element("img", src=one.picture, alt=f"{name}: {true}, taken for {guessed}", class_="missed"),
            *(_alike(found, other) for other in one.alike),
            class_="pictures",
        ),
        element(
            "figcaption",
            element("b", f"{true} → {guessed}"),
            f" {bound(words.percent(one.confidence))} ",
            element("span", name, class_="quiet"),
        ),
    )


def _alike(found: Soundness, one: Alike) -> Markup:
    name = words.one_line(one.name, 60)
    told = f"{name}: {name_of(found, one.label)}, similarity {one.similarity:.2f}"
    return element(
        "span",
        element("img", src=one.picture, alt=told, title=told),
        element("small", name_of(found, one.label)),
    )

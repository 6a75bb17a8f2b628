"""The answer in detail: every finalist's figures, and who opened the test split."""

from __future__ import annotations

from collections.abc import Sequence

from search.answer.answer import Confirmed
from search.report.markup import NOTHING, Markup, element, unbroken
from search.report.report import Report
from search.report.sections.parts import paragraphs, section, table
from search.view import words


def answer(report: Report) -> Markup:
    """The section; nothing without an answer."""
    found = report.result.answer
    if found is None:
        return NOTHING
    baseline = found.baseline
    rows = list(found.finalists)
    if baseline is not None and all(one.label != "baseline" for one in rows):
        rows.append(baseline)
    said = [
        "Three numbers that are easily taken for each other: a search's score is the best of many and so too hopeful; "
        "the race's scores chose the winner, on new seeds; the measurement's, with further seeds, had no part in "
        "choosing it."
    ]
    opened = [
        f"The test split was opened {_times(len(found.openings))}: {words.listed(list(found.openings))}."
    ]
    return section(
        "answer",
        "The answer in detail",
        paragraphs(said),
        table(
            ["recipe", "score in the search", "race", "measurement", "test accuracy"],
            [_row(report, one) for one in rows],
            words=(0,),
        ),
        element("dl", *(_recipe(one) for one in rows), class_="recipes"),
        paragraphs(opened if found.openings else ["The test split was not opened."], "quiet"),
    )


def _row(report: Report, one: Confirmed) -> list[str]:
    number = report.baseline if one.label == "baseline" else one.number
    trials = {trial.number: trial for trial in report.result.trials}
    score = trials[number].score if number in trials else None
    return [
        one.label,
        words.score(score),
        _scores(one.race),
        _scores(one.val),
        " · ".join(map(words.percent, one.test)) or words.NONE,
    ]


def _scores(values: Sequence[float]) -> str:
    return " · ".join(map(words.score, values)) or words.NONE


def _recipe(one: Confirmed) -> Markup:
    return element("div", element("dt", one.label), element("dd", unbroken(words.recipe(one.params))))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"

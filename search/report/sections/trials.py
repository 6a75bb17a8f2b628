"""The leaderboard: every trial with its recipe, a row each."""

from __future__ import annotations

from search.report.markup import NOTHING, Markup, element, unbroken
from search.report.report import Report
from search.report.sections.parts import paragraphs, section
from search.result import TrialSummary
from search.view import words
from search.view.answer import counts
from trainables.diagnosis.registry import title_of

MOST = 400
"""Rows."""
HEADS = ("trial", "state", "score", "epochs", "time", "recipe")


def trials(report: Report) -> Markup:
    """The section; nothing without trials."""
    ranked = report.result.ranking()
    if not ranked:
        return NOTHING
    shown = ranked[:MOST]
    winner = report.winner
    said = [counts(report.result, report.spec)]
    if len(shown) < len(ranked):
        said.append(
            f"The first {len(shown)} of {len(ranked)} are listed: trained to the end by score, then stopped ones by "
            "epochs and score. All of them are in the files beside this page."
        )
    head = element("tr", *(element("th", one, scope="col", class_=_class(one)) for one in HEADS))
    rows = (_row(trial, winner is not None and trial.number == winner.number) for trial in shown)
    table = element("table", element("thead", head), element("tbody", *rows), class_="trials sortable")
    return section("trials", "All trials", paragraphs(said), element("div", table, class_="wide"))


def _row(trial: TrialSummary, won: bool) -> Markup:
    recipe: list[str] = [
        *((element("b", "winner"), " ") if won else ()),
        unbroken(words.recipe(trial.params)),
    ]
    if trial.reason and trial.state in {"FAIL", "COMPLETE"}:
        recipe += [" ", element("span", words.one_line(trial.reason), class_="quiet")]
    recipe += [
        element("p", f"{title_of(one.name)}: {words.one_line(one.says, 400)}", class_="quiet diagnosis")
        for one in trial.diagnosis
    ]
    cells = [
        element("td", str(trial.number), data_value=trial.number),
        element("td", trial.state, class_="word"),
        element(
            "td", words.score(trial.score), data_value=None if trial.score is None else repr(trial.score)
        ),
        element("td", str(trial.epochs), data_value=trial.epochs),
        element("td", words.clock(trial.seconds), data_value=f"{trial.seconds:.2f}"),
        element("td", *recipe, class_="recipe word"),
    ]
    return element("tr", *cells, class_="won" if won else trial.state.lower())


def _class(head: str) -> str | None:
    return {"state": "word", "recipe": "recipe word"}.get(head)

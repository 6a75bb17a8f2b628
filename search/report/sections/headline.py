"""The first screen: the winner, how far it is above the baseline, what to keep in mind, what to look at first."""

from __future__ import annotations

from search.answer.answer import Answer
from search.report.markup import NOTHING, Markup, breakable, element, joined, unbroken
from search.report.report import Report
from search.report.sections.parts import command, paragraphs
from search.view import words
from search.view.answer import counts, points, sentences

MOST = 12
"""Settings of the winner that the first screen has; those that differ from the ordinary recipe come first."""


def headline(report: Report) -> Markup:
    """The head of the page."""
    spec, result = report.spec, report.result
    tried = words.count(len(result.trials), "recipe")
    model = words.one_line(spec.model, 60)
    about = (
        f"A search for the best way to fine-tune {model} on {words.one_line(spec.data, 60)}: "
        f"{tried} tried, of up to {words.count(result.epochs or spec.budget, 'epoch')} each."
    )
    return element(
        "header",
        element("p", f"finetune-search · study {result.name}", class_="quiet over"),
        element("h1", _title(report)),
        element("p", about, class_="quiet"),
        _recipe(report),
        _figures(result.answer) if result.answer is not None else NOTHING,
        element(
            "div",
            paragraphs(sentences(result, spec) if result.trials else [counts(result, spec)]),
            id="caveats",
        ),
        _hypothesis(report),
        _first_verdict(report),
    )


def _title(report: Report) -> str:
    winner, answer = report.winner, report.result.answer
    if not report.result.trials:
        return "No trial has begun"
    if winner is None:
        return "No winner yet"
    if answer is None:
        return f"Trial {winner.number} is ahead, not confirmed"
    if answer.winner.label == "baseline":
        return "The ordinary recipe wins"
    return f"The winner is trial {winner.number}"


def _recipe(report: Report) -> Markup:
    winner = report.winner
    if winner is None:
        return NOTHING
    entries, ordinary = words.folded(winner.params), words.folded(report.space.baseline())
    switches = [name for name, value in entries.items() if " " in value]  # choices with options of their own
    changed = [name for name, value in entries.items() if ordinary.get(name) != value]
    order = list(dict.fromkeys([*switches, *(changed if len(entries) > MOST else ()), *entries]))
    chips = [element("span", element("b", breakable(name)), " ", unbroken(entries[name])) for name in order]
    rest = NOTHING
    if chips[MOST:]:
        more = element("summary", f"and {words.count(len(chips) - MOST, 'setting')} more")
        rest = element("details", more, element("div", *chips[MOST:], class_="chips"))
    return element("div", element("div", *chips[:MOST], class_="chips"), rest, id="winner")


def _figures(answer: Answer) -> Markup:
    """Winner, baseline and difference in large figures; the sentences below say what they are over."""
    tested = bool(answer.winner.test)
    what = "mean test accuracy" if tested else "mean validation score"
    write = words.percent if tested else words.score
    tiles = []
    difference = answer.difference
    if difference is not None:
        tiles.append(
            _tile(
                "winner − baseline",
                points(difference.value, tested),
                None if difference.margin is None else points(difference.margin, tested, signed=False),
                "strong",
            )
        )
    for name, one in (("winner", answer.winner), ("baseline", answer.baseline)):
        found = one.estimate if one is not None else None
        if found is not None and not (name == "baseline" and difference is None):
            tiles.append(
                _tile(name, write(found.value), None if found.margin is None else write(found.margin), name)
            )
    note = element("p", f"{what}; ± is the 95 % interval", class_="quiet small")
    return element("div", element("div", *tiles, class_="tiles"), note, id="margin")


def _tile(name: str, figure: str, margin: str | None, class_: str) -> Markup:
    number, _, unit = figure.partition(" ")
    big = element("b", number, element("small", f" {unit}") if unit else NOTHING)
    sure = f"± {margin.partition(' ')[0]}" if margin is not None else "one seed: spread unknown"
    return element("div", element("span", name), big, element("span", sure), class_=f"tile {class_}")


def _hypothesis(report: Report) -> Markup:
    """What the study was run to find out, and what came of it."""
    outcome = report.result.outcome
    if outcome is None:
        return NOTHING
    asked = element("p", element("b", "Hypothesis: "), words.one_line(outcome.text, 400))
    came = element("p", element("b", f"{outcome.verdict}: "), words.one_line(outcome.evidence, 600))
    return element("div", asked, came, id="hypothesis")


def _first_verdict(report: Report) -> Markup:
    if not report.verdicts:
        return NOTHING
    first = report.verdicts[0]
    more = len(report.verdicts) - 1
    typed = first.command(report.result.name)
    others = f" {words.count(more, 'verdict')} more below." if more else ""
    return element(
        "div",
        element("p", element("b", f"{first.kind}: "), words.one_line(first.says, 400), joined([others])),
        command(typed + report.elsewhere) if typed else NOTHING,
        class_="verdict",
        id="first-verdict",
    )

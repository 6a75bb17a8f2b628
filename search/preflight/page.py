"""What was seen before a study as one page of HTML: it asks for nothing, and runs nothing."""

from __future__ import annotations

import base64
import hashlib

import numpy as np

from search.inspection.pictures import small
from search.preflight.preflight import Preflight
from search.report.charts.ramp import ramp
from search.report.markup import NOTHING, Markup, element, joined
from search.report.sections.parts import figure, paragraphs, section
from search.report.style import STYLE
from search.view import words
from search.view.preflight import MARKS, conclusion, places, sentence, settled
from trainables.preflight.result import Result
from trainables.preflight.suggestion import averaged

MARK = "finetune-search preflight"

OWN = """
.checks { margin: .8rem 0; padding: 0; list-style: none; } .checks li { display: grid; grid-template-columns: 6rem 1fr;
  gap: .1rem .8rem; padding: .5rem 0; border-top: 1px solid var(--line); } .checks p { margin: 0; max-width: none; }
.checks b { font-weight: 600; }
.mark { font-size: .8rem; font-weight: 700; letter-spacing: .03em; padding-top: .15rem; }
.passed .mark { color: var(--good); } .skipped .mark, .skipped p { color: var(--quiet); }
.warning .mark { color: var(--win); } .blocker .mark { color: var(--bad); }
.grid-of-pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(6rem, 1fr)); gap: .8rem .6rem;
  margin: .8rem 0; }
.grid-of-pictures img { width: 100%; image-rendering: pixelated; display: block; border-radius: 2px; }
.grid-of-pictures figcaption { font-size: .8rem; color: var(--quiet); margin: .15rem 0 0; }
"""


def page(seen: Preflight) -> str:
    """The page's text: the same for the same preflight. All that comes from the data is escaped."""
    style = STYLE + OWN
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="generator", content=MARK),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{seen.study}: preflight"),
        element("style", Markup(style)),
    )
    body = element(
        "main",
        element("header", element("h1", f"{seen.study}: before it begins"), element("p", conclusion(seen))),
        element("p", f"Looked at in {seen.seconds:.0f} s; {settled(seen)}.", class_="quiet"),
        section("checks", "What was checked", element("ul", *map(_check, seen.results), class_="checks")),
        _rates(seen),
        _pictures(seen),
    )
    whole = element("html", head, element("body", body), lang="en")
    return joined([Markup("<!doctype html>\n"), whole, Markup("\n")])


def _check(result: Result) -> Markup:
    remedy = element("p", f"→ {result.remedy}") if result.remedy else NOTHING
    return element(
        "li",
        element("span", MARKS[result.verdict], class_="mark"),
        element("div", element("p", sentence(result)), remedy),
        class_=result.verdict.name.lower(),
    )


def _rates(seen: Preflight) -> Markup:
    charts = [
        figure(_ramp(strategy, result), strategy, places(result))
        for strategy, result in seen.rates.items()
        if result.figures.get("fell")
    ]
    if not charts:
        return NOTHING
    says = (
        "Loss while the learning rate grows from step to step, in a training that is thrown away; the line is what is "
        f"suggested. `finetune-search run {seen.study} --center-lr` searches a decade on either side of it."
    )
    return section("rates", "Learning rates", paragraphs([says]), element("div", *charts, class_="charts"))


def _ramp(strategy: str, result: Result) -> Markup:
    told = result.figures
    smooth = averaged(np.nan_to_num(np.array(told["losses"]), nan=1e9, posinf=1e9)).tolist()
    says = f"Loss by learning rate for {strategy}; {words.number(told['suggested'])} is suggested"
    return ramp(says, told["rates"], told["losses"], smooth, told["suggested"])


def _pictures(seen: Preflight) -> Markup:
    if not seen.pictures:
        return NOTHING
    shown = [
        element(
            "figure", element("img", src=small(one.pixels), alt=f"An image of class {one.label}"),
            element("figcaption", one.label),
        )
        for one in seen.pictures
    ]  # fmt: skip
    says = "Training images as a step of the baseline's recipe gets them. Would you still know the classes?"
    grid = element("div", *shown, class_="grid-of-pictures")
    return section("pictures", "After augmentation", paragraphs([says]), grid)

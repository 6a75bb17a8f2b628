"""The page: one file of HTML that asks for nothing. All that comes from the study is escaped."""

from __future__ import annotations

import base64
import hashlib

from search.report.markup import NOTHING, Markup, element, joined
from search.report.report import MARK, Report
from search.report.sections.answer import answer
from search.report.sections.changes import changes
from search.report.sections.course import course
from search.report.sections.earlier import earlier
from search.report.sections.headline import headline
from search.report.sections.mattered import mattered
from search.report.sections.onward import onward
from search.report.sections.soundness import soundness
from search.report.sections.stopping import stopping
from search.report.sections.time import time
from search.report.sections.trials import trials
from search.report.sections.verdicts import verdicts
from search.report.style import SCRIPT, STYLE

SECTIONS = (answer, soundness, verdicts, mattered, changes, stopping, course, trials, time, earlier, onward)
NAMES = {
    "answer": "Answer",
    "soundness": "Is it good",
    "verdicts": "What to look at",
    "mattered": "What mattered",
    "changes": "One thing at a time",
    "stopping": "Early stopping",
    "course": "How it went",
    "trials": "All trials",
    "time": "Time",
    "earlier": "Other studies",
    "onward": "How to go on",
}
"""Sections by their id, as the page's table of contents has them."""


def page(report: Report) -> str:
    """The page's text: the same for the same report."""
    sections = [section(report) for section in SECTIONS]
    links = [
        element("a", name, href=f"#{key}")
        for key, name in NAMES.items()
        if f'id="{key}"' in "".join(sections)
    ]
    meta = [
        element("meta", charset="utf-8"),
        element("meta", name="generator", content=MARK),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{report.result.name}: report"),
        element("style", Markup(STYLE)),
    ]
    made = f"Made{f' on {report.made}' if report.made else ''} by finetune-search. "
    files = f"The same figures as data: {report.result.name}.json and .parquet, beside this file."
    body = [
        element(
            "main",
            headline(report),
            element("nav", *links, aria_label="Sections") if links else NOTHING,
            *sections,
        ),
        element("footer", element("p", made + files)),
        element("script", Markup(SCRIPT)),
    ]
    whole = element("html", element("head", *meta), element("body", *body), lang="en")
    return joined([Markup("<!doctype html>\n"), whole, Markup("\n")])


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


OURS = f"style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}"
POLICY = f"default-src 'none'; img-src data:; {OURS}; base-uri 'none'; form-action 'none'"
"""Nothing is fetched (pictures are in the page itself), and nothing runs but the script that is named by its hash."""

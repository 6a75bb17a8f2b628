"""A report about a data set as one page of HTML, with the images that it speaks of. Needs no network and no script."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from search.ours import bearing, write_ours
from search.view.check.files import MARK
from search.view.check.terminal import example, headline, measure_line, split_line, verdict
from search.view.words import printable
from trainables.quality.finding import Finding, Severity
from trainables.quality.report import Report

GROUPS, IN_GROUP, NAMED = 24, 6, 1000
"""Most groups of a finding that are shown, most images of each, and most that are named."""

Thumbnail = Callable[[int], Image.Image | None]
"""Row of the listing → a small picture; none if it cannot be read."""

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --text: #1c1e21; --quiet: #667; --line: #dde1e6; --card: #f6f7f9;
  --blocker: #b3261e; --warning: #9a6700; --notice: #0b6e99; --bar: #5b8def; }
@media (prefers-color-scheme: dark) { :root { --ground: #15171a; --text: #e6e8eb; --quiet: #99a; --line: #33383f;
  --card: #1d2025; --blocker: #ff8a80; --warning: #f2c14e; --notice: #6cc4ea; --bar: #6f9bf0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 4rem; background: var(--ground); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; }
h2 { font-size: 1.05rem; margin: 0; font-weight: 600; }
.quiet { color: var(--quiet); margin: .25rem 0; }
.verdict { font-weight: 600; margin: 1rem 0 1.5rem; }
section { border: 1px solid var(--line); border-left-width: 5px; border-radius: 6px; background: var(--card);
  padding: .8rem 1rem; margin: 0 0 1rem; }
section.blocker { border-left-color: var(--blocker); }
section.warning { border-left-color: var(--warning); }
section.notice { border-left-color: var(--notice); }
.badge { font-size: .72rem; font-weight: 700; letter-spacing: .05em; margin-right: .5rem; }
.blocker .badge { color: var(--blocker); } .warning .badge { color: var(--warning); }
.notice .badge { color: var(--notice); }
.groups { display: flex; flex-wrap: wrap; gap: .75rem; margin: .75rem 0 .25rem; }
.group { display: flex; gap: 2px; padding: 4px; border: 1px solid var(--line); border-radius: 4px; }
figure { margin: 0; width: 104px; text-align: center; }
figure img { max-width: 96px; max-height: 96px; border-radius: 2px; vertical-align: bottom; }
figure .none { display: inline-block; width: 96px; height: 72px; line-height: 72px; color: var(--quiet);
  border: 1px dashed var(--line); font-size: .75rem; }
figcaption { font-size: .68rem; line-height: 1.25; color: var(--quiet); margin-top: 3px; }
details { margin-top: .5rem; font-size: .85rem; } summary { cursor: pointer; color: var(--quiet); }
ul { margin: .4rem 0; padding-left: 1.2rem; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; }
td { padding: 1px .5rem 1px 0; } td.number { text-align: right; white-space: nowrap; width: 5rem; }
td.name { width: 14rem; } .bar { height: .7rem; background: var(--bar); border-radius: 2px; min-width: 1px; }
"""


def write_page(report: Report, path: Path, thumbnail: Thumbnail) -> None:
    """Write the page.

    Args:
        report: What was found.
        path: Where to.
        thumbnail: Gives the pictures.

    Raises:
        InputError: There is a file of another kind, or none can be written there.
    """
    write_ours(path, page(report, thumbnail), bearing(MARK))


def page(report: Report, thumbnail: Thumbnail) -> str:
    """The page's text. All that comes from the data set is escaped, and no script would run."""
    pictures = _Pictures(report, thumbnail)
    findings = "".join(_section(report, finding, pictures) for finding in report.findings)
    skipped = "".join(
        f"<li>{_text(kind.replace('_', ' '))}: {_text(reason)}</li>" for kind, reason in report.skipped
    )
    measures = "" if report.measures is None else f"<p class=quiet>{_text(measure_line(report.measures))}</p>"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="generator" content="{MARK}">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(report.name)}: data check</title><style>{STYLE}</style></head><body>"
        f"<h1>{_text(headline(report))}</h1><p class=quiet>{_text(split_line(report))}</p>{measures}"
        f"<p class=verdict>{_text(verdict(report))}</p>{findings}"
        + (f"<section><h2>Not looked for</h2><ul>{skipped}</ul></section>" if skipped else "")
        + f"<section><h2>Images a class</h2>{_classes(report)}</section></body></html>\n"
    )


class _Pictures:
    """Pictures as data, each made once."""

    def __init__(self, report: Report, thumbnail: Thumbnail) -> None:
        self._report, self._thumbnail = report, thumbnail
        self._made: dict[int, str] = {}

    def figure(self, row: int, note: str) -> str:
        if row not in self._made:
            image = self._thumbnail(row)
            self._made[row] = "<span class=none>no picture</span>" if image is None else _data(image)
        key = self._report.listing.keys[row]
        name = key.rpartition("/")[2] or key
        caption = _text(name[-28:]) + (f"<br>{_text(note)}" if note else "")
        return f'<figure title="{_text(key)}">{self._made[row]}<figcaption>{caption}</figcaption></figure>'


def _data(image: Image.Image) -> str:
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=80)
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}">'


def _section(report: Report, finding: Finding, pictures: _Pictures) -> str:
    severity = Severity(finding.severity).name
    groups = "".join(
        "<div class=group>"
        + "".join(pictures.figure(mention.row, mention.note) for mention in group[:IN_GROUP])
        + (
            f"<figure><span class=none>and {len(group) - IN_GROUP} more</span></figure>"
            if len(group) > IN_GROUP
            else ""
        )
        + "</div>"
        for group in finding.groups[:GROUPS]
    )
    rest = ""
    if len(finding.groups) > GROUPS or any(len(group) > IN_GROUP for group in finding.groups):
        named = "".join(f"<li>{_text(example(report, group, 20))}</li>" for group in finding.groups[:NAMED])
        all_ = "all" if len(finding.groups) <= NAMED else f"the first {NAMED:,} of"
        rest = (
            f"<details><summary>Names of {all_} {len(finding.groups):,}</summary><ul>{named}</ul></details>"
        )
    return (
        f'<section class={severity.lower()} id="{_text(finding.kind)}"><h2><span class=badge>{severity}</span>'
        f"{_text(finding.kind.replace('_', ' '))}</h2><p class=quiet>{_text(finding.says)}</p>"
        f"<p>{_text(finding.advice)}</p>"
        + (f"<div class=groups>{groups}</div>" if groups else "")
        + rest
        + "</section>"
    )


def _classes(report: Report) -> str:
    by_class = {name: sum(counts.values()) for name, counts in report.images_by().items()}
    most = max(by_class.values(), default=1) or 1
    rows = "".join(
        f"<tr><td class=name>{_text(name)}</td><td class=number>{count:,}</td>"
        f'<td><div class=bar style="width:{100 * count / most:.1f}%"></div></td></tr>'
        for name, count in sorted(by_class.items(), key=lambda item: -item[1])
    )
    return f"<table>{rows}</table>"


def _text(text: str) -> str:
    return html.escape(printable(text))

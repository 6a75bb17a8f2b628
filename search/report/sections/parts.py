"""What sections have in common: headings, tables, figures and commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from search.report.markup import NOTHING, Markup, element, joined


def section(id_: str, title: str, *children: str) -> Markup:
    """A section under its heading; nothing where nothing is in it."""
    if not any(children):
        return NOTHING
    return element("section", element("h2", title), *children, id=id_)


def paragraphs(sentences: Iterable[str], class_: str | None = None) -> Markup:
    """Each sentence as a paragraph."""
    return joined(element("p", one, class_=class_) for one in sentences)


def figure(chart: str, caption: str, note: str = "") -> Markup:
    """A chart over what it is called; a note follows in small print."""
    words = [element("b", caption)] + ([" ", element("span", note, class_="quiet")] if note else [])
    return element("figure", element("figcaption", *words), chart)


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], words: Sequence[int] = (), class_: str = ""
) -> Markup:
    """A table that can be moved sideways where there is no room; figures stand at the right.

    Args:
        heads: Of the columns.
        rows: Of cells.
        words: Which columns are words, and stand at the left.
        class_: Of the table.
    """
    kinds = ["word" if index in words else None for index in range(len(heads))]
    head = element(
        "tr", *(element("th", one, scope="col", class_=kind) for one, kind in zip(heads, kinds, strict=True))
    )
    body = (
        element("tr", *(element("td", one, class_=kind) for one, kind in zip(row, kinds, strict=True)))
        for row in rows
    )
    whole = element("table", element("thead", head), element("tbody", *body), class_=class_ or None)
    return element("div", whole, class_="wide", tabindex="0", role="region", aria_label=", ".join(heads))


def command(typed: str) -> Markup:
    """What can be typed."""
    return element("pre", element("code", typed))

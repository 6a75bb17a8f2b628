"""What sections have in common: headings, tables, figures and commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from search.report.markup import NOTHING, Markup, bound, breakable, element, joined, unbroken


def section(id_: str, title: str, *children: str) -> Markup:
    """A section under its heading; nothing where nothing is in it."""
    if not any(children):
        return NOTHING
    return element("section", element("h2", title), *children, id=id_)


def paragraphs(sentences: Iterable[str], class_: str | None = None) -> Markup:
    """Each sentence as a paragraph; what stands between backticks is something to type."""
    return joined(element("p", *_typed(bound(one)), class_=class_) for one in sentences)


def _typed(sentence: str) -> Iterable[str]:
    parts = sentence.split("`")
    if len(parts) % 2 == 0:
        return [sentence]
    return [element("code", part) if index % 2 else part for index, part in enumerate(parts)]


def figure(chart: str, caption: str, note: str = "", class_: str | None = None) -> Markup:
    """A chart under what it is called; a note follows in small print."""
    words = [element("b", breakable(caption))] + (
        [" ", element("span", bound(note), class_="quiet")] if note else []
    )
    return element("figure", element("figcaption", *words), chart, class_=class_)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], words: Sequence[int] = ()) -> Markup:
    """A table whose figures stand at the right; on a phone each row becomes a list.

    Args:
        heads: Of the columns.
        rows: Of cells.
        words: Which columns are words, and stand at the left.
    """
    kinds = ["word" if index in words else None for index in range(len(heads))]
    columns = list(zip(heads, kinds, strict=True))
    head = element("tr", *(element("th", one, scope="col", class_=kind) for one, kind in columns))
    body = (
        element(
            "tr",
            *(
                element("td", one, class_=kind, data_head=name)
                for one, (name, kind) in zip(row, columns, strict=True)
            ),
        )
        for row in rows
    )
    whole = element("table", element("thead", head), element("tbody", *body), class_="figures")
    return element("div", whole, class_="wide")


def command(typed: str) -> Markup:
    """What can be typed."""
    return element("pre", element("code", unbroken(typed)))

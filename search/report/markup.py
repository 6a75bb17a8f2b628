"""Elements of HTML and SVG, put together so that nothing gets in that is not escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

VOID = {"img", "meta", "wbr"}
"""Elements that have no end."""


class Markup(str):
    """Text that is markup already. Any other string is text, and is escaped wherever it is put into an element."""

    __slots__ = ()


NOTHING = Markup("")
LONGEST = 32
"""Letters of a word that stays on one line, whatever is in it."""
BOUND = "\N{NO-BREAK SPACE}"


def escaped(text: str) -> Markup:
    """Text as markup; what cannot be printed is shown as such a mark is."""
    if not text.isprintable():
        text = "".join(mark if mark.isprintable() or mark == BOUND else "�" for mark in text)
    return Markup(html.escape(text))


def bound(text: str) -> str:
    """A sentence whose figures and units stay on one line."""
    return re.sub(r" (?=[%±=])|(?<=[±=]) ", BOUND, text)


def unbroken(text: str) -> Markup:
    """Text whose numbers and options (``1.1e-5``, ``--name``) are not folded at their hyphens."""
    tokens = (
        element("span", token, class_="one") if "-" in token and len(token) <= LONGEST else escaped(token)
        for token in text.split(" ")
    )
    return Markup(" ".join(tokens))


def breakable(name: str) -> Markup:
    """A parameter's name that may be folded after a dot and after an underscore."""
    return Markup(re.sub(r"([._])(?=\w)", r"\1<wbr>", escaped(name)))


def joined(parts: Iterable[str]) -> Markup:
    """Parts one after the other; those that are no markup are escaped."""
    return Markup("".join(part if isinstance(part, Markup) else escaped(part) for part in parts))


def element(tag: str, /, *children: str, **attributes: object) -> Markup:
    """An element with what is in it.

    Args:
        tag: The element's name.
        *children: What is in it, in order.
        **attributes: ``class_`` is ``class``, ``aria_label`` is ``aria-label``. One that is None or False is left out,
            one that is True stands alone.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if tag in VOID:
        return Markup(f"<{tag}{written}>")
    return Markup(f"<{tag}{written}>{joined(children)}</{tag}>")


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-") if key not in {"viewBox"} else key
    if value is True:
        return f" {name}"
    return f' {name}="{digits(value) if isinstance(value, float) else escaped(str(value))}"'


def digits(value: float) -> str:
    """A place in a drawing: a tenth of a unit is more than a screen shows."""
    return f"{value:.1f}".removesuffix(".0")

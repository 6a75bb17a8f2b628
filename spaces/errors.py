"""Errors that are the user's to mend. Each is one sentence: the law, then the value."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Something that was typed or written down cannot be used; the sentence says what would be right."""


class InvalidParams(InputError):
    """Parameters that a space does not hold: names the parameter, the law, the value."""


class InvalidSpace(InputError):
    """A space, or a change to one, that breaks a law."""


def shown(value: object) -> str:
    """`value` as it is put in a sentence: on one line, and short."""
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python prints
        text = f"{type(value).__name__} too long to print"
    return text if len(text) <= 80 else f"{text[:77]}..."


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """The end of a sentence about an unknown `name`: the closest of the known ones, if one is close."""
    words = [word for word in known if isinstance(word, str)]
    close = get_close_matches(str(name), words, n=1) if isinstance(name, str) else []
    return f"; did you mean {close[0]!r}?" if close else ""


def known_names(name: object, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown `name`: the closest of the known ones, else all of them."""
    names = list(known)
    return did_you_mean(name, names) or (f"; known: {', '.join(names)}" if names else "")

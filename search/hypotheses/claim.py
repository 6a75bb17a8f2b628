"""What a hypothesis claims of a parameter, read out of its words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from spaces import Value


class Relation(Enum):
    """What a claim says is better."""

    MORE = "more"
    LESS = "less"
    ABOVE = "above"
    BELOW = "below"
    IS = "is"


@dataclass(frozen=True)
class Claim:
    """That some values of a parameter give better scores than its others.

    Args:
        parameter: As `search.insight.variation.Variation` calls it.
        relation: Which values.
        value: The number or option that `relation` is about; none for more and less.
    """

    parameter: str
    relation: Relation
    value: Value | None = None

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.relation.value} {self.parameter} is better"
        return f"{self.parameter} {self.relation.value} {self.value} is better"


ALIASES = {
    "learning rate": "lr",
    "learning rates": "lr",
    "batches": "batch size",
    "batch sizes": "batch size",
}
"""What people say for what parameters are called."""
MORE = "more|higher|larger|stronger|longer|bigger|greater|increasing|raising"
LESS = "less|lower|smaller|weaker|shorter|fewer|decreasing|lowering|without|no"
HELPS = "help|helps|better|best|improve|improves|win|wins|beat|beats|raise|raises|outperform|outperforms"
HURTS = "hurt|hurts|worse|worst|harm|harms|lose|loses"
COMPARISON = re.compile(r"([A-Za-z][\w.*]*)\s*(>=|<=|>|<|==|=|is|above|below)\s*([-+.\w]+)")


def claim_in(text: str, values: Mapping[str, Sequence[Value]]) -> Claim | None:
    """The claim that a sentence makes, if it can be understood.

    Understood are comparisons (``dropout > 0.2``, ``strategy = layer_decay``), more or less of a number (``stronger
    augmentation helps``, ``dropout hurts``), and options (``layer_decay beats the others``).

    Args:
        text: The sentence.
        values: Parameter → values at which it can be looked at: options, or numbers in rising order.

    Returns:
        None where no parameter, more than one, or no comparison is found.
    """
    text = " ".join(text.split())
    for found in COMPARISON.finditer(text):
        name = _named(found[1], values)
        claim = _compared(name, found[2], found[3], values[name]) if name is not None else None
        if claim is not None:
            return claim
    words = text.lower().replace("_", " ")
    for alias, name in ALIASES.items():
        words = re.sub(rf"\b{alias}\b", name, words)
    better = _direction(words)
    if better is None:
        return None
    options = [
        (name, option)
        for name, one in values.items()
        for option in one
        if isinstance(option, str) and re.search(rf"\b{re.escape(option.replace('_', ' '))}\b", words)
    ]
    if len(options) == 1 and better:
        return Claim(options[0][0], Relation.IS, options[0][1])
    mentioned = [name for name, one in values.items() if _is_mentioned(name, words) and _is_number(one)]
    if len(mentioned) != 1:
        return None
    lower = re.search(rf"\b({LESS})\b", words) is not None and not re.search(rf"\b({MORE})\b", words)
    return Claim(mentioned[0], Relation.MORE if better != lower else Relation.LESS)


def _direction(words: str) -> bool | None:
    """Whether something is said to help, to hurt, or neither."""
    helps, hurts = (re.search(rf"\b({kinds})\b", words) is not None for kinds in (HELPS, HURTS))
    return None if helps == hurts else helps


def _named(word: str, values: Mapping[str, Sequence[Value]]) -> str | None:
    """The one parameter that a word stands for: its whole name, or the end of it."""
    if word in values:
        return word
    ends = [name for name in values if name.rpartition(".")[2] == word]
    return ends[0] if len(ends) == 1 else None


def _compared(name: str, sign: str, value: str, values: Sequence[Value]) -> Claim | None:
    if not _is_number(values):
        options = {str(option).lower(): option for option in values}
        is_option = sign in {"=", "==", "is"} and value.lower() in options
        return Claim(name, Relation.IS, options[value.lower()]) if is_option else None
    try:
        number = float(value)
    except ValueError:
        return None
    if sign in {">", ">=", "above"}:
        return Claim(name, Relation.ABOVE, number)
    return Claim(name, Relation.BELOW, number) if sign in {"<", "<=", "below"} else None


def _is_mentioned(name: str, words: str) -> bool:
    """Whether the name's last part, or for a name of several words its first, stands in the sentence."""
    last = name.rpartition(".")[2].replace("_", " ")
    return any(re.search(rf"\b{re.escape(one)}\b", words) for one in {last, last.split()[0]})


def _is_number(values: Sequence[Value]) -> bool:
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)

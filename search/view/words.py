"""Numbers, times and recipes as people write them. Plain strings: nothing here knows of a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from search.answer.race import Race
from spaces import Params

NONE = "-"
"""Stands for a figure that there is not."""


def number(value: object) -> str:
    """A parameter's value with two digits: ``1.2e-3``, ``0.35``; whole numbers and words as they are."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, float):
        return one_line(str(value), 40)
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    if 0.01 <= abs(value) < 10_000:
        digits = 2
        while abs(value) < 1 <= abs(float(f"{value:.{digits}g}")):  # a decay of 0.999 is not 1
            digits += 1
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.{digits}g}"
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def score(value: float | None) -> str:
    """A score with three decimals, the ones that a validation split of a thousand images can tell apart."""
    if value is None:
        return NONE
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.4g}"


def percent(share: float) -> str:
    """``97.3 %`` for 0.973."""
    return f"{100 * share:.1f} %"


def clock(seconds: float | None) -> str:
    """``1:20`` for 80 seconds, ``2:01:20`` above an hour."""
    if seconds is None or not math.isfinite(seconds):
        return NONE
    minutes, rest = divmod(round(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(amount: float) -> str:
    """Bytes, as people say them: 1.2 GiB."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{amount:,.3g} {unit}" if amount < 1000 else f"{amount:,.0f} {unit}"


def count(amount: int, noun: str) -> str:
    """``1 trial``, ``2 trials``."""
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"


def printable(text: str) -> str:
    """Text as a terminal or a page shows it: what would be no mark but a command becomes `�`."""
    return "".join(mark if mark.isprintable() else "�" for mark in text)


def one_line(text: str, width: int = 300) -> str:
    """Text on one line, cut where it is longer than `width` characters; no escape sequence gets through."""
    words = " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())
    return words if len(words) <= width else f"{words[: width - 3]}..."


def folded(params: Params) -> dict[str, str]:
    """A recipe with each choice and the options of its branch as one entry.

    ``strategy=layer_decay, strategy.layer_decay.lr=0.0012`` becomes ``strategy: layer_decay lr=1.2e-3``.
    """
    entries: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(params, key=lambda name: name.count(".")):  # a choice before its branch
        if name in taken:
            continue
        branch = f"{name}.{params[name]}."
        options = [other for other in params if other.startswith(branch)]
        taken.update(options)
        rest = [f"{other.removeprefix(branch)}={number(params[other])}" for other in options]
        entries[name] = " ".join([number(params[name]), *rest])
    return {name: entries[name] for name in params if name in entries}


def recipe(params: Params) -> str:
    """A recipe on one line, what was chosen first: ``layer_decay lr=1.2e-3, batch_size=32``."""
    entries = folded(params)
    choices = [text for name, text in entries.items() if _has_branch(name, params)]
    others = [f"{name}={text}" for name, text in entries.items() if not _has_branch(name, params)]
    return ", ".join([*choices, *others])


def _has_branch(name: str, params: Params) -> bool:
    branch = f"{name}.{params[name]}."
    return any(other.startswith(branch) for other in params)


def learning_rate(params: Params) -> str:
    """The learning rate of the top of the network, where the recipe has one."""
    value = params.get(f"strategy.{params.get('strategy')}.lr", params.get("lr"))
    return NONE if value is None else number(value)


def race(race: Race) -> str:
    """How far the race among the finalists has come, and what follows."""
    if not race.contenders:
        return "nobody is left to be confirmed"
    leader = f"the {race.contenders[0]}" if race.contenders[0] == "baseline" else race.contenders[0]
    if not race.over:
        more = f"race with {race.seeds} new seeds each" if race.seeds > 1 else "race with a new seed"
        return f"{listed(race.contenders)} {more}"
    wins = (
        f"{leader} is ahead after {count(race.seeds, 'new seed')}"
        if race.seeds
        else f"{leader} is the finalist"
    )
    if leader == "the baseline":
        return f"{wins}: nothing is better"
    return f"{wins}, and is measured with others beside the baseline"


def changes(changes: int, trainings: int) -> str:
    """That the winner is trained again with so many changes."""
    return f"{count(changes, 'change')} to the winner, one at a time: {count(trainings, 'training')}"


def listed(names: Sequence[str]) -> str:
    """``one``, ``one and two``, ``one, two and three``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def states(counts: Mapping[str, int]) -> str:
    """``13 COMPLETE, 25 PRUNED, 2 FAIL``; states that no trial is in are left out."""
    names = ("COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING")
    return ", ".join(f"{counts[name]} {name}" for name in names if counts.get(name))

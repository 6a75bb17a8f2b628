"""A technique that never helped."""

from __future__ import annotations

from search.answer.changes import Change
from search.insight.effects import Effect
from search.verdicts.verdict import Case, Verdict
from spaces import Value

OFF = ("none", "off", False, 0)
"""Values that leave a technique out."""


def never_helped(case: Case) -> list[Verdict]:
    """Parameters that matter, of which off is best; and changes that switch something off and are better for it."""
    found = [_of_effect(effect) for effect in case.insight.told if _is_off(effect.best)]
    named = {verdict.says for verdict in found}
    for change in case.changes.changes if case.changes is not None else ():
        if change.verdict == "better" and _is_off(change.after):
            verdict = _of_change(change)
            if verdict.says not in named:
                found.append(verdict)
    return found


def _of_effect(effect: Effect) -> Verdict:
    return Verdict(
        "a technique that never helped",
        f"{effect.name} is best left out.",
        f"Over all recipes {effect.name}={_shown(effect.best)} is above the worst, {_shown(effect.worst)}, by "
        f"{effect.gain:.3f} ± {effect.margin:.3f}.",
        tuple(f"--set {name}={_shown(effect.best)}" for name in effect.qualified),
    )


def _of_change(change: Change) -> Verdict:
    return Verdict(
        "a technique that never helped",
        f"{change.parameter} is best left out.",
        f"Without it the winner is better by {change.effect:.3f} ± {change.margin:.3f}, with the same seeds.",
        (f"--set {change.parameter}={_shown(change.after)}",),
    )


def _is_off(value: Value) -> bool:
    return any(value == off and isinstance(value, bool) == isinstance(off, bool) for off in OFF)


def _shown(value: Value) -> str:
    return (
        str(value).lower()
        if isinstance(value, bool)
        else f"{value:.3g}"
        if isinstance(value, float)
        else str(value)
    )

"""What differs between two recipes, counted as a person counts: another optimizer with its options is one thing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from search.comparison.flat import default_of
from search.spec import OWN_CORE
from search.view import words
from trainables.parts import PARTS

LABELS = FIRST, SECOND = "A", "B"
"""What the two recipes are called."""

BROUGHT = {"model": ("pretrained", "mean", "std", "model_args"), "pretrained": ("mean", "std")}
"""What belongs to a setting: another network has other weights, and other weights other statistics."""

NATURAL = ("image_size", "repeats")
"""Settings that are left to data and network where they are not given."""


@dataclass(frozen=True)
class Difference:
    """One thing that differs.

    Args:
        name: A parameter, an option, a setting, or a kind of part (``optimizer``).
        first: A's value, as JSON has it; none where it has none.
        second: B's.
        brings: What comes with it: name → A's value and B's. Options of another branch belong to that branch, and what
            another optimizer or strategy does depends on its learning rate.
    """

    name: str
    first: Any
    second: Any
    brings: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """``optimizer: adamw in A, sgd in B (with optimizer.sgd.momentum: none in A, 0.8 in B)``."""
        more = [f"{name}: {_sides(*values)}" for name, values in self.brings.items()]
        return f"{self.name}: {_sides(self.first, self.second)}" + (f" (with {'; '.join(more)})" * bool(more))

    @property
    def caveat(self) -> str:
        """What to keep in mind of it; empty where there is nothing."""
        if self.name == "strategy":
            return (
                "Each strategy has its own learning rate, so this compares both at these rates: one that was not tuned "
                "would look like a worse strategy."
            )
        if self.name == "optimizer":
            rated = any(name.endswith((".lr", ".rate")) for name in self.brings)
            which = "each at its own learning rate" if rated else "both at one learning rate"
            return (
                f"This compares the optimizers {which}: what suits one may be ten times too much for the other, and a "
                "rate that was not tuned would look like a worse optimizer."
            )
        if self.name == "batch_size":
            return (
                "The learning rate is the same in both, and what suits one batch size may not suit the other."
            )
        if self.name == "epochs":
            return "The schedule ends with the training, so each has its own."
        return ""

    def noted(self) -> list[Any]:
        """As JSON has it."""
        return [self.name, self.first, self.second, {name: list(pair) for name, pair in self.brings.items()}]

    @classmethod
    def from_noted(cls, noted: Sequence[Any]) -> Difference:
        """What `noted` gave."""
        name, first, second, brings = noted
        return cls(name, first, second, {key: (pair[0], pair[1]) for key, pair in brings.items()})


def differences(
    first: Mapping[str, Any],
    second: Mapping[str, Any],
    natural: Sequence[Mapping[str, Any]] | None = None,
    same: Collection[str] = (),
) -> tuple[Difference, ...]:
    """What differs between two recipes.

    Args:
        first: A's, as `search.comparison.flat.flat` lays it out.
        second: B's.
        natural: Of each recipe the values of `NATURAL` settings that it leaves to data and network; where they are not
            known yet, such a setting that one of them leaves open is passed over.
        same: Settings that are the same although they are written differently.
    """
    differ: dict[str, tuple[Any, Any]] = {}
    for name in (*first, *(name for name in second if name not in first)):
        if name in same:
            continue
        ours, theirs = (_value(side, name, other) for side, other in ((first, second), (second, first)))
        if name in NATURAL:
            if natural is not None:
                ours, theirs = (
                    mine if mine is not None else its.get(name)
                    for mine, its in zip((ours, theirs), natural, strict=True)
                )
            elif (ours is None) != (theirs is None):
                continue
        if ours != theirs or isinstance(ours, bool) != isinstance(theirs, bool):
            differ[name] = (_plain(ours), _plain(theirs))
    taken: set[str] = set()
    found = []
    for name, (ours, theirs) in sorted(differ.items(), key=lambda item: not _leads(item[0])):
        if name in taken:
            continue
        brings = (
            {} if not _leads(name) else {k: v for k, v in differ.items() if k != name and _belongs(k, name)}
        )
        if name == "optimizer" and "strategy" not in differ:
            brings |= {k: v for k, v in differ.items() if k.startswith("strategy.") and k.endswith(".lr")}
        taken |= {name, *brings}
        found.append(Difference(name, ours, theirs, brings))
    order = list(differ)
    return tuple(sorted(found, key=lambda one: order.index(one.name)))


def _leads(name: str) -> bool:
    return name in PARTS or name in BROUGHT


def _belongs(name: str, leader: str) -> bool:
    top = name.partition(".")[0]
    return name.startswith(f"{leader}.") if leader in PARTS else top in BROUGHT[leader]


def _value(side: Mapping[str, Any], name: str, other: Mapping[str, Any]) -> Any:
    """An option that only one of two equal parts is given has its default in the other."""
    if name in side:
        return side[name]
    kind, _, rest = name.partition(".")
    known = rest and kind in PARTS and side["trainable"] == other["trainable"] == OWN_CORE
    return default_of(name) if known and side[kind] == other[kind] else None


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _sides(first: Any, second: Any) -> str:
    return f"{value(first)} in {FIRST}, {value(second)} in {SECOND}"


def value(there: Any) -> str:
    """A value in a sentence: two that differ in the third digit do not look alike."""
    if there is None:
        return "none"
    if isinstance(there, float):
        short = words.number(there)
        return short if float(short) == there else f"{there:.6g}"
    return words.one_line(str(there).lower() if isinstance(there, bool) else str(there), 60)

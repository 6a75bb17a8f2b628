"""A kind of diagnosis that gathers in a region of the space, in words, and what would narrow the space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.gathering.regions import FEWEST, Condition, find_region
from spaces import Choice, Int, Params, SearchSpace, Value
from trainables.diagnosis.registry import KINDS


@dataclass(frozen=True)
class Shown:
    """What a trial has shown.

    Args:
        params: Its recipe.
        kinds: Under which names its diagnoses are counted; see `Kind.adds_up_as`.
        epochs: How many it has trained.
    """

    params: Params
    kinds: frozenset[str]
    epochs: int


@dataclass(frozen=True)
class Gathering:
    """One kind of diagnosis in one region.

    Args:
        kind: Its name.
        conditions: What makes the region: one or two.
        hits: Trials there that have it.
        inside: Trials there.
        others: Trials elsewhere that have it.
        outside: Trials elsewhere.
        settings: What would narrow the space, as ``run`` takes it; empty where nothing would.
    """

    kind: str
    conditions: tuple[Condition, ...]
    hits: int
    inside: int
    others: int
    outside: int
    settings: tuple[str, ...]

    @property
    def where(self) -> str:
        """The region: ``strategy.full.lr from 0.003 on and optimizer sgd``."""
        return " and ".join(map(str, self.conditions))

    @property
    def sentence(self) -> str:
        """What was seen and what would follow, on one line."""
        narrow = f"narrow the range ({' '.join(self.settings)}), or " if self.settings else ""
        return (
            f"{self.hits} of {self.inside} trials with {self.where} {KINDS[self.kind].did}, and {self.others} of the "
            f"{self.outside} others: {narrow}{KINDS[self.kind].advice}"
        )


def gatherings(
    space: SearchSpace, trials: Sequence[Shown], passing: frozenset[str] = frozenset()
) -> list[Gathering]:
    """Every kind that gathers somewhere beyond chance, the worst first.

    Args:
        space: What recipes were drawn from.
        trials: Of the search.
        passing: Kinds that are passed over.
    """
    names = list(dict.fromkeys(kind.adds_up_as for kind in KINDS.values()))
    counted = {name: sum(name in trial.kinds for trial in trials) for name in names}
    looked = [name for name in names if counted[name] >= FEWEST]
    found = []
    for name in looked:
        if name in passing:
            continue
        # Who was stopped before a kind can show says nothing of it.
        those = [one for one in trials if name in one.kinds or one.epochs >= KINDS[name].fewest]
        hits = [name in one.kinds for one in those]
        region = find_region(space, [one.params for one in those], hits, len(looked))
        if region:
            there = [all(condition.holds(one.params) for condition in region) for one in those]
            found.append(
                Gathering(
                    kind=name,
                    conditions=region,
                    hits=sum(hit and inside for hit, inside in zip(hits, there, strict=True)),
                    inside=sum(there),
                    others=sum(hit and not inside for hit, inside in zip(hits, there, strict=True)),
                    outside=len(there) - sum(there),
                    settings=_settings(space, region, [one.params for one in those]),
                )
            )
    return found


def _settings(space: SearchSpace, region: Sequence[Condition], recipes: Sequence[Params]) -> tuple[str, ...]:
    """What leaves the region out: a range that is cut, as a rule, else an option less; what fewest recipes lose by."""

    def order(one: Condition) -> tuple[bool, int]:
        return one.option is not None, sum(map(one.holds, recipes))

    for condition in sorted(region, key=order):
        found = [one for name in condition.qualified if (one := _without(space, name, condition))]
        if found:
            return tuple(found)
    return ()


def _without(space: SearchSpace, name: str, condition: Condition) -> str:
    """A range cut at the border, or a choice's other options; nothing where none of it would be left."""
    leaf = space.leaves()[name]
    if isinstance(leaf, Choice):
        left = [_written(one) for one in leaf.options if one != condition.option]
        return f"--set {name}=[{','.join(left)}]" if left else ""
    low, high = (leaf.low, condition.border) if condition.above else (condition.border, leaf.high)
    if not (low < high and (leaf.low < low or high < leaf.high)):
        return ""
    ends = ",".join(str(round(end)) if isinstance(leaf, Int) else f"{end:.3g}" for end in (low, high))
    return f"--set {name}=[{ends}]"


def _written(option: Value) -> str:
    return str(option).lower() if isinstance(option, bool) else str(option)

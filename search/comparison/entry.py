"""A comparison's entry in the store: what is compared, and the ledgers of its trainings."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, TrialState

from search import register
from search.comparison.comparison import Comparison, Trained
from search.comparison.difference import FIRST, SECOND, Difference
from search.comparison.side import Side, only
from search.ledger import Ledger, records_of
from search.recipe import Recipe
from search.store.layout import Store
from spaces import InputError
from trainables.seeds import derive_seed

A, B = "a", "b"
"""The phases of a comparison: the trainings of each recipe."""
LABELS = {A: FIRST, B: SECOND}
SEEDS, DIFFERENCES = "seeds", "differences"


@dataclass(frozen=True)
class Entry:
    """What is written down of a comparison.

    Args:
        name: Its name.
        sides: A and B.
        differences: What differs between them.
        seeds: With how many seeds it was asked for.
    """

    name: str
    sides: Sequence[Side]
    differences: Sequence[Difference]
    seeds: int


def ledger_name(name: str, phase: str) -> str:
    """The ledger study of the trainings of one recipe; ``@`` is in no study's own name."""
    return f"{name}@{phase}"


def entry_of(study: optuna.Study) -> Entry:
    """A comparison as a study of the ledger has it."""
    noted = study.user_attrs[register.COMPARISON]
    return Entry(
        name=str(study.study_name),
        sides=[Side.from_noted(noted[label]) for label in LABELS.values()],
        differences=tuple(Difference.from_noted(one) for one in noted[DIFFERENCES]),
        seeds=int(study.user_attrs[SEEDS]),
    )


def earlier(store: Store, name: str, sides: Sequence[Side]) -> Entry | None:
    """What is written down of a comparison that may be gone on with; none where there is none of that name.

    Raises:
        InputError: The name is a study's, or that of a comparison of other recipes.
    """
    if name not in register.study_names(store):
        return None
    study = register.find_study(store, name)
    if register.COMPARISON not in study.user_attrs:
        raise InputError(
            f"a comparison must have a name of its own, but {name!r} is a study; choose another --name"
        )
    entry = entry_of(study)
    for label, now, before in zip(LABELS.values(), sides, entry.sides, strict=True):
        if _meant(now.recipe) != _meant(before.recipe):
            raise InputError(
                f"comparison {name!r} exists with another recipe {label} than {now.typed} is now; choose another "
                "--name"
            )
    return entry


def _meant(recipe: Recipe) -> dict[str, object]:
    """Data are known by what is in them, see `search.register.hold_data`; the seed is the comparison's."""
    return recipe.model_dump(exclude={"data", "seed"})


def write(ledger: Ledger, entry: Entry) -> None:
    """Write a comparison down, or with how many seeds more it is asked for."""
    study = ledger.study
    study.set_user_attr(register.UID, study.user_attrs.get(register.UID) or uuid.uuid4().hex)
    study.set_user_attr(SEEDS, entry.seeds)
    noted = {label: side.noted() for label, side in zip(LABELS.values(), entry.sides, strict=True)}
    study.set_user_attr(
        register.COMPARISON, {**noted, DIFFERENCES: [one.noted() for one in entry.differences]}
    )


def seeds_for(count: int) -> list[int]:
    """The first so many seeds of any comparison: no trial of a study and no confirmation has them."""
    return [derive_seed(0, "compare", index) % 2**31 for index in range(count)]


def enter(ledgers: Mapping[str, Ledger], entry: Entry) -> None:
    """Enqueue what is not trained yet."""
    for (phase, label), side in zip(LABELS.items(), entry.sides, strict=True):
        known = {trial.user_attrs.get("seed") for trial in ledgers[phase].trials()}
        for seed in seeds_for(entry.seeds):
            if seed not in known:
                ledgers[phase].enqueue(side.recipe.params, candidate=label, seed=seed)


def read(store: Store, name: str) -> Comparison:
    """A comparison as it stands, without running anything.

    Raises:
        InputError: There is none of that name.
    """
    study = register.find_study(store, name)
    if register.COMPARISON not in study.user_attrs:
        raise InputError(
            f"a comparison must have been made by `finetune-search compare`, but {name!r} is a study"
        )
    entry = entry_of(study)
    ledgers = {
        phase: register.read_ledger(store, ledger_name(name, phase), only(side.recipe.params))
        for phase, side in zip(LABELS, entry.sides, strict=True)
    }
    return comparison_of(entry, ledgers)


def comparison_of(entry: Entry, ledgers: Mapping[str, Ledger]) -> Comparison:
    """What the ledgers say."""
    first, second = (
        _trained(side, ledgers[phase].trials()) for phase, side in zip(LABELS, entry.sides, strict=True)
    )
    return Comparison(entry.name, first, second, entry.differences, seeds_for(entry.seeds))


def _trained(side: Side, trials: Sequence[FrozenTrial]) -> Trained:
    complete = {t.user_attrs["seed"]: t for t in trials if t.state is TrialState.COMPLETE}
    return Trained(
        side,
        scores={seed: float(trial.value or 0.0) for seed, trial in complete.items()},
        seconds={
            seed: sum(record.metrics.get("epoch_seconds", 0.0) for record in records_of(trial))
            for seed, trial in complete.items()
        },
        failed={
            t.user_attrs["seed"]: str(t.user_attrs.get("reason", ""))
            for t in trials
            if t.state is TrialState.FAIL
        },
    )

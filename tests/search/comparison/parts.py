"""Recipes to be compared, and comparisons as a driver leaves them in a ledger, without training anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optuna.trial import TrialState

from search import register
from search.comparison import entry as entries
from search.comparison.difference import differences
from search.comparison.entry import LABELS, Entry
from search.comparison.flat import flat
from search.comparison.side import Side
from search.recipe import Recipe
from search.store.layout import Store
from trainables.protocol import EpochRecord

PARAMS = {"batch_size": 32, "dropout": 0.0, "strategy": "full", "strategy.full.lr": 1e-3}


def recipe(params: dict[str, Any] | None = None, without: Sequence[str] = (), **settings: Any) -> Recipe:
    """A recipe of the digits, with changes."""
    top = {
        name: settings.pop(name) for name in ("data", "split_seed", "folds", "trainable") if name in settings
    }
    changed = {name: value for name, value in {**PARAMS, **(params or {})}.items() if name not in without}
    held = {"model": "glyphs", "epochs": 3, "precision": "fp32", **settings}
    return Recipe.model_validate({"data": "digits", **top, "settings": held, "params": changed})


def found(first: Recipe, second: Recipe, **more: Any) -> list[str]:
    """The differences in words."""
    return [one.words for one in differences(flat(first), flat(second), **more)]


def compared(
    store: Store,
    scores: Sequence[Sequence[float | None]],
    seconds: Sequence[float] = (2.0, 3.0),
    name: str = "two",
) -> Entry:
    """A comparison of two learning rates whose trainings ended with `scores`: [2][seeds], none for a failure."""
    sides = [Side("a.yaml", recipe()), Side("b.yaml", recipe({"strategy.full.lr": 3e-3}))]
    entry = Entry(name, sides, differences(flat(sides[0].recipe), flat(sides[1].recipe)), len(scores[0]))
    specs = [side.spec(name) for side in sides]
    main = register.open_ledger(store, specs[0], specs[0].search_space(), name)
    entries.write(main, entry)
    ledgers = {
        phase: register.open_ledger(store, spec, spec.search_space(), entries.ledger_name(name, phase))
        for phase, spec in zip(LABELS, specs, strict=True)
    }
    entries.enter(ledgers, entry)
    for ledger, row, took in zip(ledgers.values(), scores, seconds, strict=True):
        for score in row:
            number = ledger.ask(lambda number: number).number
            if score is None:
                ledger.fail(number, "diverged: loss was nan", diverged=True)
                continue
            ledger.record(number, EpochRecord(1, score, {"epoch_seconds": took}))
            ledger.finish(number, TrialState.COMPLETE, "")
    return entry

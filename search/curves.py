"""A study's trials as a table of learning curves."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np

from search.ledger import records_of
from search.register import find_study
from search.searchers.keep_away import DIVERGED
from search.simulation.tables import Table, built_in_tables, load_table
from search.store.layout import Store
from search.study import Study
from spaces import InputError


def tables_for(names: Sequence[str], store: Store) -> list[Table]:
    """The tables of these names or files; where none is named, all built-in ones and those of the store.

    Raises:
        InputError: One of them is no table, or there is none at all.
    """
    found = list(names) or [*built_in_tables(), *map(str, sorted(store.tables.glob("*.parquet")))]
    if not found:
        raise InputError(
            "a rehearsal needs recorded curves, but there are none; make some: finetune-search record"
        )
    return [load_table(name) for name in found]


def table_of(study: Study) -> Table:
    """What its trials have shown so far; of a trial with several folds the first one.

    Raises:
        InputError: The store has no such study, or no trial of it has a record.
    """
    spec = study.spec
    trials = [
        trial
        for trial in find_study(study.store, spec.name).get_trials(deepcopy=False)
        if trial.intermediate_values or DIVERGED in trial.user_attrs
    ]
    if not any(trial.intermediate_values for trial in trials):
        raise InputError(f"a table of curves needs a trial with a record, but study {spec.name!r} has none")
    scores = np.full((len(trials), spec.epochs), np.nan)
    seconds = np.full(len(trials), np.nan)
    for row, trial in enumerate(trials):
        records = [record for record in records_of(trial) if record.epoch <= spec.epochs]
        for record in records:
            scores[row, record.epoch - 1] = record.score
        took = [r.metrics["epoch_seconds"] for r in records if r.metrics.get("epoch_seconds", 0) > 0]
        seconds[row] = median(took) if took else np.nan
    seconds = np.where(
        np.isnan(seconds), np.nanmedian(seconds) if (~np.isnan(seconds)).any() else 1.0, seconds
    )
    diverged = np.array([DIVERGED in trial.user_attrs for trial in trials])
    recipes = [dict(trial.params) for trial in trials]
    return Table(spec.name, spec.search_space(), recipes, scores, seconds, diverged)

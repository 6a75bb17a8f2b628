"""Studies that are done, without Ray: really trained, by the ledger's own means, with the checkpoints of seats."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import uuid
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from search import register
from search.checkpoints import SEARCH, Checkpoints
from search.execution.names import BEST
from search.reading import load_spec
from search.store.layout import Store
from trainables.builder import from_params
from trainables.data import load_dataset
from trainables.data.folds import with_folds
from trainables.folded import Folded
from trainables.material import prepare, reading_of
from trainables.settling import settle

_MADE: dict[str, tempfile.TemporaryDirectory[str]] = {}
"""Settings → a store with that study: a training takes seconds, a copy none."""


def finish(store: Store, settings: dict[str, Any]) -> optuna.Study:
    """Search as `settings` of the study `digits` say; all trials are COMPLETE. Once a process, then it is copied."""
    if register.study_names(store):
        return _finish(store, settings)
    key = json.dumps(settings, sort_keys=True)
    if key not in _MADE:
        made = tempfile.TemporaryDirectory(prefix="finished-")
        shutil.copytree(store.root, made.name, dirs_exist_ok=True)
        _finish(Store(Path(made.name)), settings)
        _MADE[key] = made
    source = Store(Path(_MADE[key].name))
    with (
        closing(sqlite3.connect(source.optuna_db)) as there,
        closing(sqlite3.connect(store.optuna_db)) as here,
    ):
        there.backup(here)  # the ledger's, which is open already, is not to be replaced under its connections
    shutil.copytree(source.root / "checkpoints", store.root / "checkpoints", dirs_exist_ok=True)
    study = register.find_study(store, settings["name"])
    study.set_user_attr(register.UID, uuid.uuid4().hex)  # a study of its own, not the same one twice
    return study


def _finish(store: Store, settings: dict[str, Any]) -> optuna.Study:
    spec = load_spec("digits", settings)
    dataset = load_dataset(spec.data, spec.split_seed, reading_of(spec.fixed()))
    dataset = with_folds(dataset, spec.folds, spec.holdouts, spec.split_seed)
    material = prepare(dataset, spec.fixed())
    ledger = register.open_ledger(store, spec, spec.search_space(), spec.name)
    register.enter(ledger, spec)
    register.hold_data(ledger, spec, dataset.fingerprint())
    fixed = settle(spec.fixed(), material)
    register.write_settled(ledger, fixed)
    make = partial(Folded, from_params) if material.folds else from_params
    for _ in range(spec.most_trials):
        trial = ledger.ask(lambda number: 100 + number)
        trainable = make(trial.params, fixed, trial.seed, material)
        for record in trainable.epochs():
            ledger.record(trial.number, record)
        Checkpoints(store, spec.name).place(SEARCH, trial.number).save(BEST, trainable.state_dict()["best"])
        ledger.finish(trial.number, TrialState.COMPLETE, "")
    return ledger.study

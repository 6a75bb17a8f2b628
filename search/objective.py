"""A study written by hand: an objective for `optuna_study.optimize`, with the same core and no Ray."""

from __future__ import annotations

import atexit
import copy
import functools
import re
import threading
import time
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import optuna
from optuna.trial import TrialState

from search.decisions.phase import own_end
from search.ledger import DIAGNOSIS, Ledger, records_of
from search.register import UID
from search.searchers.keep_away import DIVERGED
from search.store.databases import prepare
from search.store.layout import Store
from search.tracking.patch import SCORE
from search.tracking.projection import Projection
from search.tracking.provenance import provenance
from search.tracking.views import of_experiment
from spaces import InputError, Int, SearchSpace
from spaces.document import write_document
from trainables.config import Fixed
from trainables.data import Dataset
from trainables.diagnosis.diagnosis import Diagnosis
from trainables.diagnosis.registry import diagnosed
from trainables.protocol import Diverged, EpochRecord, Trainable
from trainables.seeds import derive_seed


class Objective:
    """Train one recipe and return its best validation score; report every epoch, so that pruners work.

    ``optuna.create_study(direction="maximize").optimize(Objective(data="digits"), n_trials=20)``

    Samplers, pruners and storage are the caller's own. Trials run one after the other in this
    process (with ``n_jobs`` above 1 they wait for each other: torch's random numbers are one stream a
    process, and a seed must make a trial repeatable). Each trial is an MLflow run under a parent run
    that bears the study's name, just as `make search` lays it out.

    A trial whose training diverges returns NaN, which Optuna keeps as FAIL and goes on; the trial says
    why in its user attribute ``reason``. `search.KeepAway` around a sampler lets it learn from that.

    Args:
        data: A data set's name, or a `trainables.Dataset` of one's own.
        space: A preset's name, a YAML file, ``package.module:attribute``, or a `SearchSpace`. Where its
            batches go beyond the training images, they are narrowed to them.
        epochs: Full budget of a trial.
        model: A built-in backbone, or a timm architecture.
        seed: Of the trials; each trial's own follows from its number.
        split_seed: Of the data set's split.
        folds: Parts of train and val, each of which judges a training on the others; the value is the mean.
        holdouts: Splits of train and val that are drawn anew, likewise; not both.
        store: Where MLflow's database is; ``mlruns`` in the working folder if not given. False logs nothing.
        **settings: Further fields of `trainables.Fixed`.

    Raises:
        InputError: Unknown data, model, space or setting.
    """

    def __init__(
        self,
        data: str | Dataset = "digits",
        space: str | SearchSpace = "finetune",
        epochs: int = 27,
        *,
        model: str = "glyphs",
        seed: int = 0,
        split_seed: int = 0,
        folds: int = 1,
        holdouts: int = 1,
        store: Store | bool | None = None,
        **settings: Any,
    ) -> None:
        from search.feasibility import check_space
        from spaces import load_space
        from trainables.data import load_dataset
        from trainables.data.folds import with_folds
        from trainables.material import prepare as prepare_material
        from trainables.material import reading_of
        from trainables.settling import settle

        try:
            fixed = Fixed.model_validate({"model": model, "epochs": epochs, **settings})
        except ValueError as error:
            raise InputError(str(error)) from None
        if not isinstance(data, Dataset):
            data = load_dataset(data, split_seed, reading_of(fixed))
        if folds > 1 and holdouts > 1:
            raise InputError(
                f"one of folds and holdouts must be 1, but got folds={folds}, holdouts={holdouts}"
            )
        material = prepare_material(with_folds(data, folds, holdouts, split_seed), fixed)
        self.space = _fitting(load_space(space) if isinstance(space, str) else space, len(material.train))
        check_space(self.space, fixed, material)
        self.data, self.seed = data.name, seed
        self.fixed = settle(fixed, material)
        self._material = material
        self._store = None if store is False else store if isinstance(store, Store) else Store.default()
        self._projections: dict[str, Projection] = {}
        self._lock = threading.Lock()

    def __call__(self, trial: optuna.Trial) -> float:
        """Run `trial`.

        Returns:
            The best validation score of its epochs, or NaN if it diverged.

        Raises:
            optuna.TrialPruned: The study's pruner stopped it.
        """
        with self._lock:
            return self._run(trial)

    def _run(self, trial: optuna.Trial) -> float:
        from trainables.builder import from_params
        from trainables.folded import Folded

        several = len(self._material.folds)
        ledger = Ledger(trial.study, self.space, self.fixed.epochs if several else None)
        make = functools.partial(Folded, from_params) if several else from_params
        assignment = ledger.take(trial, lambda number: derive_seed(self.seed, "trial", number) % 2**31)
        projection = self._open(trial.study)
        projection.start(ledger.trial(trial.number))
        end = functools.partial(self._end, trial, ledger, projection)
        last: EpochRecord | None = None
        try:
            trainable: Trainable = make(assignment.params, self.fixed, assignment.seed, self._material)
            for record in trainable.epochs():
                time_ms = ledger.record(trial.number, record)
                if time_ms is not None:
                    metrics = {SCORE: ledger.best_so_far(trial.number), **record.metrics}
                    projection.record(trial.number, record.epoch, time_ms, metrics)
                last = record
                whole = self.fixed.epochs * max(1, several)
                if record.epoch < whole and not record.ended and trial.should_prune():
                    reason = f"stopped by {type(trial.study.pruner).__name__} at epoch {record.epoch}"
                    end(TrialState.PRUNED, reason)
                    raise optuna.TrialPruned(reason)
        except Diverged as error:
            trial.set_user_attr(DIVERGED, True)
            end(TrialState.FAIL, str(error), error.diagnosis)
            return float("nan")
        except optuna.TrialPruned:
            raise
        except BaseException as error:
            end(TrialState.FAIL, f"{type(error).__name__}: {error}")
            raise
        end(TrialState.COMPLETE, own_end(last))
        return ledger.best_so_far(trial.number)

    @staticmethod
    def _end(
        trial: optuna.Trial,
        ledger: Ledger,
        projection: Projection | _Nowhere,
        state: TrialState,
        reason: str,
        cause: Diagnosis | None = None,
    ) -> None:
        """Write why, and what is wrong, and tell MLflow the state that Optuna will give the trial once we return."""
        trial.set_user_attr("reason", reason)
        known = ledger.trial(trial.number)
        if found := diagnosed(records_of(known), DIVERGED in known.user_attrs, cause):
            trial.set_user_attr(DIAGNOSIS, [one.to_dict() for one in found])
        ended = copy.copy(ledger.trial(trial.number))
        ended.state, ended.datetime_complete = state, datetime.now()
        projection.end(ended)
        projection.flush()

    def _open(self, study: optuna.Study) -> Projection | _Nowhere:
        """The projection of the study that asks; each study has its own parent run."""
        if self._store is None:
            return _Nowhere()
        if UID not in study.user_attrs:
            study.set_user_attr(UID, uuid.uuid4().hex)
        uid = str(study.user_attrs[UID])
        if uid not in self._projections:
            if not self._projections:
                prepare(self._store)
                atexit.register(self.close)
            projection = Projection(self._store, safe_name(study.study_name), uid=uid)
            searched = self.space.leaves()
            held = {"data": self.data, "seed": self.seed, **self.fixed.model_dump()}
            projection.open_study(
                params={k: str(v) for k, v in held.items() if k not in searched and v not in (None, {})},
                tags={f"provenance.{key}": value for key, value in provenance().items()},
                artifacts={"space.yaml": write_document(self.space.to_dict())},
                experiment=of_experiment(self.space, "", round(time.time() * 1000)),
            )
            self._projections[uid] = projection
        return self._projections[uid]

    def close(self) -> None:
        """End the parent runs in MLflow. Also done when the interpreter ends."""
        while self._projections:
            self._projections.popitem()[1].close()

    def __enter__(self) -> Objective:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class _Nowhere:
    """A projection that writes nothing."""

    def start(self, *args: Any) -> None:
        """Nothing."""

    record = end = start

    def flush(self) -> bool:
        """Nothing is ever waiting."""
        return True


def safe_name(study_name: str) -> str:
    """Optuna takes any name; a run's name here is a folder's too."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", study_name).strip(".-") or "study"


def _fitting(space: SearchSpace, images: int) -> SearchSpace:
    """The space, its batches no larger than the training images."""
    batch = space.leaves().get("batch_size")
    if not isinstance(batch, Int) or batch.high <= images:
        return space
    changes: Mapping[str, object] = {"batch_size": {"low": min(batch.low, images), "high": images}}
    return space.narrow(changes)

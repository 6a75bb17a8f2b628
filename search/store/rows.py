"""What befalls a trial, written to Optuna's storage in one transaction.

Of Optuna's own calls each is a transaction of its own and reads the trial anew: an epoch's record takes two of them,
an end three or more, a new trial reads the study once a parameter. In the tables of `optuna.storages.RDBStorage` the
same rows are written here at once; a record or an end is there whole or not at all. On any other storage Optuna's calls
are made, one after the other.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

if TYPE_CHECKING:
    from sqlalchemy import Connection

ATTEMPTS = 5
"""At a transaction that the database turns down for what may pass: a deadlock, a file in use."""
T = TypeVar("T")


def begin(
    storage: BaseStorage,
    study_id: int,
    params: Mapping[str, Any],
    distributions: Mapping[str, BaseDistribution],
    attributes: Mapping[str, Any],
) -> FrozenTrial:
    """A new trial, RUNNING from now on.

    Args:
        storage: Of Optuna's.
        study_id: The study's in it.
        params: The trial's recipe.
        distributions: Of each parameter. That they are those of the study's other trials is for the caller to see to.
        attributes: Its user attributes; values as JSON has them.

    Raises:
        StorageInternalError: The database does not take it.
    """
    trial = create_trial(
        state=TrialState.RUNNING,
        params=dict(params),
        distributions=dict(distributions),
        user_attrs=dict(attributes),
    )
    trial.datetime_start = datetime.now()
    tables = _tables_of(storage)
    if tables is None:
        trial_id = storage.create_new_trial(study_id, template_trial=trial)
        return storage.get_trial(trial_id)
    made = _transact(tables, lambda connection: _insert_trial(connection, study_id, trial))
    trial._trial_id, trial.number = made
    return trial


def write(
    storage: BaseStorage,
    trial_id: int,
    attributes: Mapping[str, Any],
    scores: Mapping[int, float] | None = None,
    state: TrialState | None = None,
    value: float | None = None,
) -> datetime | None:
    """Set user attributes, then scores, then the final state.

    Args:
        storage: Of Optuna's.
        trial_id: The trial's in it; it must be RUNNING.
        attributes: By name; values as JSON has them.
        scores: Intermediate values by step.
        state: COMPLETE, PRUNED or FAIL; none leaves it RUNNING.
        value: The objective's, with a state.

    Returns:
        When it ended, local time, where a state is given.

    Raises:
        UpdateFinishedTrialError: The trial is finished already.
        ValueError: The objective's value is NaN, which the tables cannot hold.
        StorageInternalError: The database does not take it.
    """
    if value is not None and math.isnan(value):
        raise ValueError(f"a trial's value must be a number, but got {value}")
    scores = scores or {}
    tables = _tables_of(storage)
    ended = None if state is None else datetime.now()
    if tables is not None:

        def deed(connection: Connection) -> None:
            _check_running(connection, trial_id)
            _set_attributes(connection, trial_id, attributes)
            _set_scores(connection, trial_id, scores)
            if state is not None and ended is not None:
                _set_state(connection, trial_id, state, value, ended)

        _transact(tables, deed)
        return ended
    for name, kept in attributes.items():
        storage.set_trial_user_attr(trial_id, name, kept)
    for step, score in scores.items():
        storage.set_trial_intermediate_value(trial_id, step, score)
    if state is None:
        return None
    storage.set_trial_state_values(trial_id, state, None if value is None else [value])
    told: datetime | None = storage.get_trial(trial_id).datetime_complete
    return told


def _tables_of(storage: BaseStorage) -> RDBStorage | None:
    """The storage whose tables these are, under the cache that a study puts around it."""
    inner = storage._backend if isinstance(storage, _CachedStorage) else storage
    return inner if type(inner) is RDBStorage else None


def _transact(storage: RDBStorage, deed: Callable[[Connection], T]) -> T:
    """One transaction, tried again where that may help. Fails as Optuna's own calls do."""
    from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

    for attempt in range(1, ATTEMPTS + 1):
        try:
            with storage.engine.begin() as connection:
                if storage.engine.name == "sqlite":
                    # Else reading would come before the transaction, and another process could write in between.
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                return deed(connection)
        except SQLAlchemyError as error:
            # One whose connection is lost may have been heard: who calls looks first, and knows what to look for.
            lost = isinstance(error, DBAPIError) and error.connection_invalidated
            if isinstance(error, OperationalError) and attempt < ATTEMPTS and not lost:
                time.sleep(random.random() * 0.2 * attempt)
                continue
            raise StorageInternalError(
                f"the ledger must take what is written to it, but says: {error}"
            ) from error
    raise AssertionError("the last attempt returns or raises")


class _Statements:
    """All that is ever said to the tables. Optuna's models know their columns, and how values are stored in them."""

    def __init__(self) -> None:
        from optuna.storages._rdb import models
        from sqlalchemy import bindparam, func, insert, select, update

        studies, trials = models.StudyModel.__table__, models.TrialModel.__table__
        params, values = models.TrialParamModel.__table__, models.TrialValueModel.__table__
        attributes = models.TrialUserAttributeModel.__table__
        scores = models.TrialIntermediateValueModel.__table__
        trial: Any = bindparam("trial")
        study: Any = bindparam("study")
        # Where rows can be locked, two drivers must not count the same number; SQLite has one writer at a time.
        self.lock_study = select(studies.c.study_id).where(studies.c.study_id == study).with_for_update()
        self.lock_trial = select(trials.c.state).where(trials.c.trial_id == trial).with_for_update()
        self.add_trial = insert(trials)
        self.count_before = select(func.count()).where(trials.c.study_id == study, trials.c.trial_id < trial)
        self.change_trial = update(trials).where(trials.c.trial_id == trial)
        self.add_params = insert(params)
        self.add_value = insert(values)
        wanted: Any = bindparam("wanted", expanding=True)
        self.names = select(attributes.c.key).where(
            attributes.c.trial_id == trial, attributes.c.key.in_(wanted)
        )
        self.change_attribute = update(attributes).where(
            attributes.c.trial_id == trial, attributes.c.key == bindparam("name")
        )
        self.add_attribute = insert(attributes)
        self.steps = select(scores.c.step).where(scores.c.trial_id == trial, scores.c.step.in_(wanted))
        self.change_score = update(scores).where(scores.c.trial_id == trial, scores.c.step == bindparam("at"))
        self.add_score = insert(scores)
        self.stored_score = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr
        self.stored_value = models.TrialValueModel.value_to_stored_repr


@cache
def _statements() -> _Statements:
    """Built once, when the tables are there: SQLAlchemy takes a moment to be imported."""
    return _Statements()


def _insert_trial(connection: Connection, study_id: int, trial: FrozenTrial) -> tuple[int, int]:
    say = _statements()
    connection.execute(say.lock_study, {"study": study_id}).one()
    row = {"study_id": study_id, "state": trial.state, "datetime_start": _utc(trial.datetime_start)}
    made = connection.execute(say.add_trial, row).inserted_primary_key
    assert made is not None
    trial_id = int(made[0])
    before = connection.execute(say.count_before, {"study": study_id, "trial": trial_id})
    number = int(before.scalar_one())
    connection.execute(say.change_trial, {"trial": trial_id, "number": number})
    params = [
        {
            "trial_id": trial_id,
            "param_name": name,
            "param_value": distribution.to_internal_repr(trial.params[name]),
            "distribution_json": distribution_to_json(distribution),
        }
        for name, distribution in trial.distributions.items()
    ]
    if params:
        connection.execute(say.add_params, params)
    _set_attributes(connection, trial_id, trial.user_attrs)
    return trial_id, number


def _check_running(connection: Connection, trial_id: int) -> None:
    state = connection.execute(_statements().lock_trial, {"trial": trial_id}).scalar_one()
    if state.is_finished():
        raise UpdateFinishedTrialError(f"a trial must be RUNNING to be written to, but it is {state.name}")


def _set_attributes(connection: Connection, trial_id: int, attributes: Mapping[str, Any]) -> None:
    if not attributes:
        return
    say = _statements()
    # To delete or change a row that is not there would lock where it would be: MySQL lets two wait for each other then.
    there = set(connection.execute(say.names, {"trial": trial_id, "wanted": list(attributes)}).scalars())
    for name, kept in attributes.items():
        text = json.dumps(kept)
        if name in there:
            connection.execute(say.change_attribute, {"trial": trial_id, "name": name, "value_json": text})
        else:
            connection.execute(say.add_attribute, {"trial_id": trial_id, "key": name, "value_json": text})


def _set_scores(connection: Connection, trial_id: int, scores: Mapping[int, float]) -> None:
    if not scores:
        return
    say = _statements()
    there = set(connection.execute(say.steps, {"trial": trial_id, "wanted": list(scores)}).scalars())
    for step, score in scores.items():
        value, kind = say.stored_score(score)
        stored = {"intermediate_value": value, "intermediate_value_type": kind}
        if step in there:
            connection.execute(say.change_score, {"trial": trial_id, "at": step, **stored})
        else:
            connection.execute(say.add_score, {"trial_id": trial_id, "step": step, **stored})


def _set_state(
    connection: Connection, trial_id: int, state: TrialState, value: float | None, ended: datetime
) -> None:
    say = _statements()
    if value is not None:
        stored, kind = say.stored_value(value)
        row = {"trial_id": trial_id, "objective": 0, "value": stored, "value_type": kind}
        connection.execute(say.add_value, row)
    change = {"trial": trial_id, "state": state, "datetime_complete": _utc(ended)}
    connection.execute(say.change_trial, change)


def _utc(moment: datetime | None) -> datetime | None:
    """As Optuna's tables have it: naive UTC, where trials have naive local time."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)

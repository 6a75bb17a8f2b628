"""What befalls a trial, written to Optuna's storage in one transaction.

Of Optuna's own calls each is a transaction of its own and reads the trial anew: an epoch's record takes two of them,
an end three or more, a new trial reads the study once a parameter. In the tables of `optuna.storages.RDBStorage` the
same rows are written here at once; a record or an end is there whole or not at all. On any other storage Optuna's calls
are made, one after the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

if TYPE_CHECKING:
    from sqlalchemy import Connection


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
        distributions: Of each parameter.
        attributes: Its user attributes; values as JSON has them.
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
    with _transaction(tables) as connection:
        trial._trial_id, trial.number = _insert_trial(connection, study_id, trial)
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
    """
    scores = scores or {}
    tables = _tables_of(storage)
    ended = None if state is None else datetime.now()
    if tables is not None:
        with _transaction(tables) as connection:
            _check_running(connection, trial_id)
            _set_attributes(connection, trial_id, attributes)
            _set_scores(connection, trial_id, scores)
            if state is not None and ended is not None:
                _set_state(connection, trial_id, state, value, ended)
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
    inner = getattr(storage, "_backend", storage)
    return inner if type(inner) is RDBStorage else None


@contextmanager
def _transaction(storage: RDBStorage) -> Iterator[Connection]:
    """Fails as Optuna's own calls do."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with storage.engine.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise StorageInternalError(
            f"the ledger must take what is written to it, but says: {error}"
        ) from error


def _insert_trial(connection: Connection, study_id: int, trial: FrozenTrial) -> tuple[int, int]:
    from optuna.storages._rdb import models
    from sqlalchemy import func, insert, select, update

    trials = models.TrialModel.__table__
    # Where rows can be locked, two drivers must not count the same number; SQLite has one writer at a time.
    studies = models.StudyModel.__table__
    connection.execute(
        select(studies.c.study_id).where(studies.c.study_id == study_id).with_for_update()
    ).one()
    row = {"study_id": study_id, "state": trial.state, "datetime_start": _utc(trial.datetime_start)}
    made = connection.execute(insert(trials).values(row)).inserted_primary_key
    assert made is not None
    trial_id = int(made[0])
    number = int(
        connection.execute(
            select(func.count()).where(trials.c.study_id == study_id, trials.c.trial_id < trial_id)
        ).scalar_one()
    )
    connection.execute(update(trials).where(trials.c.trial_id == trial_id).values(number=number))
    rows = [
        {
            "trial_id": trial_id,
            "param_name": name,
            "param_value": distribution.to_internal_repr(trial.params[name]),
            "distribution_json": distribution_to_json(distribution),
        }
        for name, distribution in trial.distributions.items()
    ]
    if rows:
        connection.execute(insert(models.TrialParamModel.__table__), rows)
    _set_attributes(connection, trial_id, trial.user_attrs)
    return trial_id, number


def _check_running(connection: Connection, trial_id: int) -> None:
    from optuna.storages._rdb import models
    from sqlalchemy import select

    trials = models.TrialModel.__table__
    state = connection.execute(
        select(trials.c.state).where(trials.c.trial_id == trial_id).with_for_update()
    ).scalar_one()
    if state.is_finished():
        raise UpdateFinishedTrialError(f"a trial must be RUNNING to be written to, but it is {state.name}")


def _set_attributes(connection: Connection, trial_id: int, attributes: Mapping[str, Any]) -> None:
    from optuna.storages._rdb import models
    from sqlalchemy import delete, insert

    if not attributes:
        return
    table = models.TrialUserAttributeModel.__table__
    connection.execute(delete(table).where(table.c.trial_id == trial_id, table.c.key.in_(list(attributes))))
    connection.execute(
        insert(table),
        [
            {"trial_id": trial_id, "key": name, "value_json": json.dumps(kept)}
            for name, kept in attributes.items()
        ],
    )


def _set_scores(connection: Connection, trial_id: int, scores: Mapping[int, float]) -> None:
    from optuna.storages._rdb import models
    from sqlalchemy import delete, insert

    if not scores:
        return
    model = models.TrialIntermediateValueModel
    table = model.__table__
    connection.execute(delete(table).where(table.c.trial_id == trial_id, table.c.step.in_(list(scores))))
    rows = []
    for step, score in scores.items():
        stored, kind = model.intermediate_value_to_stored_repr(score)
        rows.append(
            {
                "trial_id": trial_id,
                "step": step,
                "intermediate_value": stored,
                "intermediate_value_type": kind,
            }
        )
    connection.execute(insert(table), rows)


def _set_state(
    connection: Connection, trial_id: int, state: TrialState, value: float | None, ended: datetime
) -> None:
    from optuna.storages._rdb import models
    from sqlalchemy import insert, update

    if value is not None:
        stored, kind = models.TrialValueModel.value_to_stored_repr(value)
        connection.execute(
            insert(models.TrialValueModel.__table__),
            [{"trial_id": trial_id, "objective": 0, "value": stored, "value_type": kind}],
        )
    trials = models.TrialModel.__table__
    connection.execute(
        update(trials).where(trials.c.trial_id == trial_id).values(state=state, datetime_complete=_utc(ended))
    )


def _utc(moment: datetime | None) -> datetime | None:
    """As Optuna's tables have it: naive UTC, where trials have naive local time."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)

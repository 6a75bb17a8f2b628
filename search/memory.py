"""What earlier studies of the same space saw, for a study that starts warm."""

from __future__ import annotations

import optuna
from optuna.trial import FrozenTrial, TrialState

from search.decisions.history import History
from search.decisions.phase import STATUS
from search.ledger import PAUSES, Ledger, records_of
from search.register import DIGEST, SPEC, find_study, study_names
from search.searchers.keep_away import DIVERGED
from search.spec import StudySpec
from search.store.layout import Store
from spaces import InputError, SearchSpace

ALL = "all"
"""Names every study of the store that has the same space and a COMPLETE trial."""
WARM_START = "warm_start"
"""Attribute of a study: the earlier ones that it learns from, as they were named when it began."""


def remember(ledger: Ledger, spec: StudySpec, store: Store) -> list[History]:
    """The histories of the studies that `spec` names.

    Which these are is settled when the study begins, and how far each had come is not: one that goes on is seen as
    it is now.

    Raises:
        InputError: There is no such study, or it is of another space.
    """
    written = ledger.study.user_attrs.get(WARM_START)
    names = named(spec, ledger.space, store) if written is None else written
    if written is None:
        ledger.study.set_user_attr(WARM_START, names)
    return [history_of(find_study(store, name), ledger.space) for name in names]


def named(spec: StudySpec, space: SearchSpace, store: Store) -> list[str]:
    """The earlier studies that `spec` names; of `ALL`, all that can be.

    Raises:
        InputError: There is no such study, or it is of another space.
    """
    names: list[str] = []
    for name in spec.warm_start:
        if name == ALL:
            others = (other for other in study_names(store) if other != spec.name)
            names += [other for other in others if _suits(find_study(store, other), space)]
            continue
        if name == spec.name:
            raise InputError(f"a study must start from others, but `warm_start` of {name!r} names itself")
        study = find_study(store, name)
        if study.user_attrs.get(DIGEST) != space.digest():
            raise InputError(
                f"a study can start from one of the same space only, but study {name!r} has another; "
                "their parameters must have the same names and ranges"
            )
        names.append(name)
    return list(dict.fromkeys(names))


def _suits(study: optuna.Study, space: SearchSpace) -> bool:
    complete = any(trial.state is TrialState.COMPLETE for trial in study.get_trials(deepcopy=False))
    return complete and study.user_attrs.get(DIGEST) == space.digest()


def history_of(study: optuna.Study, space: SearchSpace) -> History:
    """What a study of the ledger has seen; of trials with several folds the first ones alone.

    Args:
        study: The study.
        space: Its space.
    """
    spec = StudySpec.model_validate(study.user_attrs[SPEC])
    history = History(space, spec.epochs)
    trials = [trial for trial in study.get_trials(deepcopy=False) if _is_of(trial, space)]
    for trial in trials:
        number = trial.number
        run = history.begin(number, trial.params)
        for record in records_of(trial):
            if record.epoch <= spec.epochs:
                history.record(number, record.epoch, record.score)
        run.status = STATUS.get(trial.state, run.status)
        run.pauses = list(trial.user_attrs.get(PAUSES, []))
        run.diverged = DIVERGED in trial.user_attrs
    return history


def _is_of(trial: FrozenTrial, space: SearchSpace) -> bool:
    try:
        space.check(trial.params)
    except InputError:
        return False
    return bool(trial.intermediate_values) or DIVERGED in trial.user_attrs

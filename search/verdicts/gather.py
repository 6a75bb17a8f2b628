"""What verdicts are given on, from a study of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optuna.trial import TrialState

from search import register
from search.answer.confirmation import confirms
from search.diagnoses import counted_as
from search.insight.insight import Insight
from search.ledger import REPORT, records_of
from search.memory import history_of
from search.verdicts.verdict import Case

if TYPE_CHECKING:
    from search.study import Study


def case_of(study: Study, insight: Insight) -> Case:
    """The study as it stands.

    Args:
        study: Which.
        insight: What its trials say.

    Raises:
        InputError: There is no such study in the store.
    """
    spec, space, result = study.spec, study.spec.search_space(), study.result()
    search = register.find_study(study.store, spec.name)
    confirm = register.read_ledger(study.store, register.confirm_name(spec.name), space)
    try:
        best = result.best
    except LookupError:
        best = None
    trainings = [trial for trial in search.get_trials(deepcopy=False) if best and trial.number == best.number]
    if result.answer is not None:
        trainings += [one for one in confirm.trials() if confirms(one, result.answer.winner)]
    images = [trial.user_attrs[REPORT].get("images") for trial in trainings if REPORT in trial.user_attrs]
    return Case(
        epochs=spec.epochs,
        history=history_of(search, space),
        winner=best.params if best else None,
        insight=insight,
        trainings=[records_of(one) for one in trainings if one.state is TrialState.COMPLETE],
        answer=result.answer,
        changes=result.changes,
        diagnoses={trial.number: counted_as(trial.diagnosis) for trial in result.trials},
        images=images[0] if images and spec.trainings == 1 else None,
    )

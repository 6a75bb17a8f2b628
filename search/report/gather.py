"""A report from a study of the store. Nothing is run, and nothing is written."""

from __future__ import annotations

from datetime import datetime

from search.hypotheses.log import on_same_data
from search.register import find_study
from search.report.report import Report
from search.study import Study


def report_of(study: Study, elsewhere: str = "", now: datetime | None = None) -> Report:
    """The study as it stands.

    Args:
        study: Which.
        elsewhere: The option that names its store, where that is another than the working folder's.
        now: When it is looked at; now if not given.

    Raises:
        InputError: There is no such study in the store.
    """
    insight = study.insight()
    epochs = study.spec.epochs  # of the first fold, where there are several
    return Report(
        result=study.result(),
        spec=study.spec,
        space=study.spec.search_space(),
        insight=insight,
        verdicts=study.verdicts(insight),
        curves={
            trial.number: sorted(
                (epoch, s) for epoch, s in trial.intermediate_values.items() if epoch <= epochs
            )
            for trial in find_study(study.store, study.spec.name).get_trials(deepcopy=False)
        },
        elsewhere=elsewhere,
        earlier=on_same_data(study.store, study.spec.name),
        made=f"{now or datetime.now():%Y-%m-%d %H:%M}",
    )

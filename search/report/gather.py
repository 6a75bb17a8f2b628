"""A report from a study of the store. Nothing is run, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from search.hypotheses.log import on_same_data
from search.inspection.inspect import inspection_of
from search.register import find_study
from search.report.report import Report
from search.study import Study
from search.view.leaderboard import winner_of


def report_of(study: Study, elsewhere: str = "", now: datetime | None = None) -> Report:
    """The study as it stands.

    Args:
        study: Which.
        elsewhere: The option that names its store, where that is another than the working folder's.
        now: When it is looked at; now if not given.

    Raises:
        InputError: There is no such study in the store.
    """
    insight, result = study.insight(), study.result()
    winner = winner_of(result)
    epochs = study.spec.epochs  # of the first fold, where there are several
    return Report(
        result=result,
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
        inspection=inspection_of(study, None if winner is None else winner.number),
        made=f"{now or datetime.now():%Y-%m-%d %H:%M}",
    )


def attached(study: Study, trouble: Callable[[str], None]) -> dict[str, str]:
    """The page and its figures by file name, as MLflow keeps them on the study's run.

    Args:
        study: Which.
        trouble: Told in a sentence where they cannot be made: a study has its answer without a page.
    """
    from search.report.files import figures
    from search.report.page import page

    try:
        report = report_of(study)
        return {"report.html": page(report), "report.json": figures(report)}
    except Exception as error:
        trouble(f"no report could be made of it: {error}")
        return {}

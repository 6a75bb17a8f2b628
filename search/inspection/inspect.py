"""The inspection of a study's winner: made, kept beside its weights, and found there again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from search import register
from search.checkpoints import SEARCH, Checkpoints
from search.inspection.inspection import FILE, Inspection

if TYPE_CHECKING:
    from search.study import Study

IMAGES = 200
"""Validation images that are spoilt, where nobody says otherwise: eighty-five ways each."""


def inspect(
    study: Study,
    *,
    images: int = IMAGES,
    flat: bool = False,
    progress: Callable[[int, int], None] | None = None,
    tell: Callable[[str], None] = lambda text: None,
    trouble: Callable[[str], None] = lambda text: None,
) -> Inspection:
    """Look at the winner's network, keep what was found, and bring the report in MLflow up to it.

    Args:
        study: The study.
        images: See `search.inspection.look.look_at`.
        flat: See there.
        progress: See there.
        tell: See there.
        trouble: Told in a sentence if MLflow could not be told of it.

    Raises:
        InputError: See there.
        StudyError: See there; or the study is being run by another process.
    """
    from search.inspection.look import look_at
    from search.report.gather import attached
    from search.tracking.projection import Projection

    with register.alone(study.store, study.spec.name):
        found = look_at(study, images=images, flat=flat, progress=progress, tell=tell)
        Checkpoints(study.store, study.spec.name).root.put(FILE, found.written())
        tell("telling MLflow")
        projection = Projection(study.store, study.spec.name, phase=SEARCH, uid=found.study)
        projection.annotate(metrics=_metrics(found), artifacts=attached(study, trouble))
        if not projection.flush():
            trouble(
                "MLflow could not be told of it; `finetune-search run` of the study brings its page there"
            )
    return found


def inspection_of(study: Study, trial: int | None) -> Inspection | None:
    """What was found of a study's winner; none if it was not looked at, or another trial has won since.

    Args:
        study: The study.
        trial: The winner's number, if there is one.

    Raises:
        InputError: There is no such study in the store.
    """
    uid = str(register.find_study(study.store, study.spec.name).user_attrs.get(register.UID))
    data = None
    with suppress(OSError):  # where it is away for the moment, it is as if nobody had looked
        data = Checkpoints(study.store, study.spec.name).root.get(FILE)
    found = Inspection.read(data) if data is not None else None
    return found if found is not None and (found.study, found.trial) == (uid, trial) else None


def _metrics(found: Inspection) -> dict[str, float]:
    if found.robustness is None:
        return {}
    return {"winner/spoilt_accuracy": found.robustness.mean}

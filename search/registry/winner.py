"""The winner of a study, brought into MLflow's registry: once, and again only when another one has won."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from search.errors import StudyError
from search.result import StudyResult, TrialSummary
from search.spec import OWN_CORE, StudySpec
from search.store.patience import sentence
from search.store.quiet import hushed
from search.view import words
from search.view.answer import sentences
from search.view.leaderboard import winner_of
from search.view.view import View

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel

    from search.registry.registry import Registry
    from search.study import Study

EXPORTED = "winner"
"""The folder in the model that `best --export` would write."""


def register_winner(study: Study, result: StudyResult, run: str | None, view: View) -> None:
    """See that the winner is in MLflow's registry and has the alias, where the study has one that can be.

    What is there already, be it all or the half of it that an earlier attempt came to, is not made again: a winner
    that was registered costs a few questions to MLflow. Whatever goes wrong is told, and does not end the study.

    Args:
        study: The study. One whose trials are trained by code of the user's own has no network that is known here.
        result: What it found.
        run: The study's own run in MLflow, where that is written.
        view: Told what is being done.
    """
    winner = winner_of(result)
    if not study.spec.registered or study.spec.trainable != OWN_CORE:
        return
    if winner is None or winner.checkpoint is None:
        return
    try:
        with hushed():
            _register(study, result, winner, run, view)
    except Exception as error:
        view.on_trouble(
            f"the winner could not be registered in MLflow ({sentence(error)}); the study's next run tries again"
        )


def _register(study: Study, result: StudyResult, winner: TrialSummary, run: str | None, view: View) -> None:
    from search.registry.registry import ALIAS, Registry

    if run is None:
        raise StudyError("MLflow lacks the study's run")
    registry = Registry(study.store, result.name, run)
    version = registry.version(winner.number)
    if version is None:
        model = registry.model(winner.number, {name: str(value) for name, value in winner.params.items()})
        if not registry.is_whole(model):
            model = _filled(registry, model, study, view)
        version = registry.enter(model, winner.number)
        view.on_note(
            f"the winner is version {version.version} of MLflow's registered model {result.name!r}: "
            f"models:/{result.name}@{ALIAS}"
        )
    registry.describe(version, _description(study.spec, result, winner), _figures(result, winner))
    registry.crown(version, winner.number)


def _filled(registry: Registry, model: LoggedModel, study: Study, view: View) -> LoggedModel:
    """The model with its files."""
    from search.export.export import export_best
    from search.registry.folder import write_model
    from trainables.exported.folder import WEIGHTS

    view.on_phase("exporting the winner")
    with tempfile.TemporaryDirectory(prefix="finetune-search-") as aside:
        exported, folder = Path(aside, EXPORTED), Path(aside, "model")
        made = export_best(study, exported, progress=view.on_progress, tell=view.on_phase)
        view.on_phase("registering the winner")
        with (exported / WEIGHTS).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        write_model(folder, exported, made.description, model)
        return registry.upload(model, folder, digest)


def _description(spec: StudySpec, result: StudyResult, winner: TrialSummary) -> str:
    """Markdown, as MLflow shows it."""
    said = [f"Trial {winner.number}: {words.recipe(winner.params)}", *sentences(result, spec)]
    if result.answer is not None:
        said.append(
            "These figures are of its recipe, trained anew with other seeds. Of this very network, its classes and how "
            f"to use it without MLflow tells `data/{EXPORTED}/README.md` among the model's files."
        )
    return "\n\n".join(said)


def _figures(result: StudyResult, winner: TrialSummary) -> dict[str, str]:
    figures = {"score": str(winner.score)}
    if result.answer is not None and result.answer.winner.test:
        # Of its recipe, over the seeds that measured it.
        figures["mean_test_accuracy"] = str(fmean(result.answer.winner.test))
    return figures

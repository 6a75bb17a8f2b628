"""What the tests of this folder share: studies that are done and have their run in MLflow."""

from __future__ import annotations

from typing import Any

from search import register
from search.overview import load_study
from search.registry.registry import ALIAS
from search.registry.winner import register_winner
from search.result import StudyResult
from search.store.layout import Store
from search.store.quiet import hushed
from search.study import Study
from search.tracking import Projection
from search.view.silent import Silent
from tests.conftest import QUIET_CPU
from tests.search.cli.parts import FINISHED
from tests.search.finished import finish

ONE = {**FINISHED, **QUIET_CPU, "trials": 1}


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.notes: list[str] = []
        self.troubles: list[str] = []
        self.on_phase = self.phases.append
        self.on_note = self.notes.append
        self.on_trouble = self.troubles.append


def studied(store: Store, **changes: Any) -> Study:
    settings = {**ONE, **changes}
    finish(store, settings)
    return load_study(store, settings["name"])


def run_of(study: Study) -> str:
    """The study's own run, made where there is none."""
    ledger = register.find_study(study.store, study.spec.name)
    projection = Projection(study.store, study.spec.name, uid=ledger.user_attrs[register.UID])
    projection.open_study(params={}, tags={}, artifacts={})
    projection.flush()
    run = projection.parent_id
    assert projection.close() is None
    assert run is not None
    return run


def registered(study: Study, run: str | None = "", result: StudyResult | None = None) -> Heard:
    """Registers the winner; returns what was said."""
    heard = Heard()
    register_winner(study, result or study.result(), run_of(study) if run == "" else run, heard)
    return heard


def client_of(store: Store) -> Any:
    with hushed():
        from mlflow import MlflowClient

        return MlflowClient(store.mlflow_uri, store.mlflow_uri)


def crowned(store: Store, name: str = "small") -> Any:
    """The version that has the alias."""
    return client_of(store).get_model_version_by_alias(name, ALIAS)


def versions(store: Store, name: str = "small") -> list[str]:
    """Numbers of all versions, from the first."""
    return sorted(
        (str(one.version) for one in client_of(store).search_model_versions(f"name = '{name}'")), key=int
    )

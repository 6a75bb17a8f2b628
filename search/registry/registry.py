"""MLflow's registry as one study sees it. Each step is looked up before it is taken, so that any may be the first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.store.layout import Store
from search.tracking.writer import NUMBER, STUDY, UID

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion

ALIAS = "winner"
"""Of the version that is it now."""
WEIGHTS = "weights.sha256"
_VERSIONS = "mlflow.modelVersions"
"""The tag by which MLflow's pages find versions from a model; its own clients set it as well."""
_THERE = {"RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS"}


class Registry:
    """Models and versions of one study; every method may raise whatever MLflow raises.

    Args:
        store: Whose MLflow.
        study: The study's name, which is the registered model's too: other studies of that name have versions beside.
        run: The study's run, whose tag says which it is.
    """

    def __init__(self, store: Store, study: str, run: str) -> None:
        from mlflow import MlflowClient

        # Without the second, an environment variable or the program around us could name another registry.
        self._client = MlflowClient(store.mlflow_uri, store.mlflow_uri)
        known = self._client.get_run(run)
        self._study, self._run = study, run
        self._uid, self._experiment = known.data.tags[UID], known.info.experiment_id

    def version(self, trial: int) -> ModelVersion | None:
        """The version that is this trial's network, if there is one."""
        found: list[ModelVersion] = []
        token: str | None = ""
        while token is not None:
            page = self._client.search_model_versions(
                f"name = '{self._study}' AND {self._mine(trial)}", page_token=token or None
            )
            found += page
            token = page.token or None
        return max(found, key=lambda one: int(one.version), default=None)

    def model(self, trial: int, params: Mapping[str, str]) -> LoggedModel:
        """The model that is, or will be, this trial's network: one that was begun before, or a new one.

        Args:
            trial: Its number.
            params: Its recipe.
        """
        begun = self._begun(trial)
        if begun:
            return max(begun, key=self.is_whole)
        return self._client.create_logged_model(
            self._experiment,
            ALIAS,
            self._run,
            tags=self._tags(trial),
            params=dict(params),
            model_type="classifier",
        )

    def is_whole(self, model: LoggedModel) -> bool:
        """Whether all of its files are there."""
        return bool(model.status == "READY")

    def upload(self, model: LoggedModel, folder: Path, digest: str) -> LoggedModel:
        """Give a model its files.

        Args:
            model: Which.
            folder: What is in it.
            digest: Of the weights among them.
        """
        self._client.log_model_artifacts(model.model_id, str(folder))
        self._client.set_logged_model_tags(model.model_id, {WEIGHTS: digest})
        return self._client.finalize_logged_model(model.model_id, "READY")

    def enter(self, model: LoggedModel, trial: int) -> ModelVersion:
        """Make a whole model the newest version, and let it be found from the study's run."""
        outputs = self._client.get_run(self._run).outputs
        if model.model_id not in {one.model_id for one in (outputs.model_outputs if outputs else [])}:
            from mlflow.entities import LoggedModelOutput

            self._client.log_outputs(self._run, [LoggedModelOutput(model.model_id, step=0)])
        self._make()
        return self._client.create_model_version(
            self._study,
            model.artifact_location,  # `models:/ID` would be looked for in the store of the program around us
            self._run,
            tags={**self._tags(trial), WEIGHTS: model.tags[WEIGHTS]},
            model_id=model.model_id,
        )

    def _make(self) -> None:
        from mlflow.exceptions import MlflowException

        said = (
            f"Winners of the study `{self._study}` of finetune-search. The present one: "
            f'`mlflow.pyfunc.load_model("models:/{self._study}@{ALIAS}")`.'
        )
        try:
            self._client.create_registered_model(self._study, description=said)
        except MlflowException as error:
            if error.error_code not in _THERE:
                raise

    def describe(self, version: ModelVersion, description: str, tags: Mapping[str, str]) -> None:
        """Say what is known of a version by now, where that is not said yet."""
        if version.description != description:
            self._client.update_model_version(self._study, version.version, description)
        for key, value in tags.items():
            if version.tags.get(key) != value:
                self._client.set_model_version_tag(self._study, version.version, key, value)

    def crown(self, version: ModelVersion, trial: int) -> None:
        """Let the alias be this version's, and its models tell of it; the last step, after which nothing is lacking."""
        aliases = self._client.get_registered_model(self._study).aliases
        if str(aliases.get(ALIAS)) == str(version.version):
            return
        entry = json.dumps([{"name": self._study, "version": version.version}])
        for model in self._begun(trial):
            self._client.set_logged_model_tags(model.model_id, {_VERSIONS: entry})
        self._client.set_registered_model_alias(self._study, ALIAS, version.version)

    def _begun(self, trial: int) -> list[LoggedModel]:
        found: list[LoggedModel] = self._client.search_logged_models([self._experiment], self._mine(trial))
        return found

    def _mine(self, trial: int) -> str:
        return " AND ".join(f"tags.`{key}` = '{value}'" for key, value in self._tags(trial).items())

    def _tags(self, trial: int) -> dict[str, Any]:
        return {STUDY: self._study, UID: self._uid, NUMBER: str(trial)}

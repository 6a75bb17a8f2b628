"""Writes patches of runs to MLflow: finds the run or makes it, then only what it does not hold yet."""

import posixpath
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from search.store.layout import Store
from search.tracking.patch import ENDED, Point, RunPatch
from search.tracking.views import NOTE, linked

if TYPE_CHECKING:
    from mlflow.entities import Run

# MLflow's limits (mlflow/utils/validation.py): per batch, and per name and value.
METRICS_A_BATCH, PAIRS_A_BATCH = 800, 100  # and 1,000 of all kinds together
PARAM_CHARACTERS, TAG_CHARACTERS, NAME_CHARACTERS = 6000, 8000, 250
PARENT = "mlflow.parentRunId"
WHOLE = ("search", "compare")
"""Phases whose parent run is called as the study itself."""
NUMBER, STUDY, PHASE, UID = "trial.number", "study.name", "study.phase", "study.uid"
_FORBIDDEN = re.compile(r"[^\w.\- /:]")
T = TypeVar("T")


@dataclass
class _Held:
    """What a run in MLflow is known to hold. `metrics` are each metric's latest values only.

    Of one that has ended it is forgotten: as a rule nobody asks again, and a study of many days has many.
    """

    run_id: str
    status: str
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    points: set[Point] = field(default_factory=set)
    forgotten: bool = False


class MlflowWriter:
    """The runs of one phase of one study. Not thread-safe; every method may raise whatever MLflow raises.

    Args:
        store: Whose MLflow.
        study: The study's name, which is the experiment's too.
        phase: ``search``, ``confirm``, …; each has its own parent run.
        uid: The study's own, which a later study of the same name does not share.
    """

    def __init__(self, store: Store, study: str, phase: str, uid: str) -> None:
        from mlflow import MlflowClient

        self._client = MlflowClient(store.mlflow_uri)
        self._store, self._study, self._phase, self._uid = store, study, phase, uid
        self._experiment: str | None = None
        self._runs: dict[int | None, _Held] | None = None
        self.run_ids: dict[int | None, str] = {}
        self.mended = 0  # runs of finished trials that lacked something

    def forget(self) -> None:
        """Reads everything again at the next write: after an error, what MLflow holds is not known."""
        self._runs = None
        self.run_ids = {}

    def look(self) -> None:
        """Reads what MLflow holds, if that is not known."""
        if self._runs is None:
            self._read()

    def write(self, patch: RunPatch) -> None:
        """Brings a run to hold what the patch says; does nothing where it does already."""
        runs = self._read() if self._runs is None else self._runs
        held = runs.get(patch.number)
        if held is None:
            held = runs[patch.number] = self._create(patch, runs)
        elif held.forgotten:
            held = runs[patch.number] = _held(self._client.get_run(held.run_id))
        self.run_ids[patch.number] = held.run_id
        if patch.number is None or not patch.whole or not _agrees(held, patch):
            self.mended += patch.whole and patch.number is not None and patch.status != "RUNNING"
            self._fill(held, patch)
            self._set_status(held, patch)
        if patch.experiment:
            self._tag_experiment(patch.experiment)
        if patch.number is not None and held.status != "RUNNING":
            runs[patch.number] = _Held(held.run_id, held.status, forgotten=True)

    def _tag_experiment(self, tags: Mapping[str, str]) -> None:
        there = self._client.get_experiment(self._experiment).tags
        for key, value in tags.items():
            if key not in there:
                self._client.set_experiment_tag(self._experiment, key, value)

    def _set_status(self, held: _Held, patch: RunPatch) -> None:
        if patch.status is None or patch.status == held.status:
            return
        if patch.status == "RUNNING":
            self._client.update_run(held.run_id, status="RUNNING")
        else:
            self._client.set_terminated(held.run_id, patch.status, patch.end_time)
        held.status = patch.status

    def _fill(self, held: _Held, patch: RunPatch) -> None:
        """Logs what the run lacks; as a rule that is one `log_batch`."""
        from mlflow.entities import Metric, Param, RunTag

        tags = _tags(patch, held)
        if NOTE in tags:
            tags[NOTE] = linked(tags[NOTE], str(self._experiment), held.run_id)
        params = {_name(key): _cut(value, PARAM_CHARACTERS) for key, value in patch.params.items()}
        for key in [key for key, value in params.items() if held.params.get(key, value) != value]:
            # MLflow's params are final; a study that goes on with a larger budget says so in a tag.
            tags[_name(f"resumed.{key}")] = params.pop(key)
        params = {key: value for key, value in params.items() if key not in held.params}
        tags = {key: value for key, value in tags.items() if held.tags.get(key) != value}
        points = [point for point in patch.points if point not in held.points]
        if patch.number is None:
            # The study's own metrics have no record to take their time from: only a new value makes a point.
            points = [point for point in points if held.metrics.get(_name(point.key)) != point.value]
        metric_batches = _chunks(
            [Metric(_name(p.key), p.value, p.time, p.step) for p in points], METRICS_A_BATCH
        )
        param_batches = _chunks([Param(*pair) for pair in params.items()], PAIRS_A_BATCH)
        tag_batches = _chunks([RunTag(*pair) for pair in tags.items()], PAIRS_A_BATCH)
        batches = max(len(metric_batches), len(param_batches), len(tag_batches))
        # Tags go last: `trial.state` and `trial.epochs` are true of a run only once its points are there.
        tag_batches = [[]] * (batches - len(tag_batches)) + tag_batches
        if patch.number is None or ENDED not in held.tags:  # a trial's report never changes once it is there
            for file, text in patch.artifacts.items():
                self._client.log_text(held.run_id, text, file)
        for index in range(batches):
            self._client.log_batch(
                held.run_id,
                metrics=_at(metric_batches, index),
                params=_at(param_batches, index),
                tags=_at(tag_batches, index),
                synchronous=True,
            )
        held.tags.update(tags)
        held.params.update(params)
        held.points.update(points)
        held.metrics.update(_latest(points))

    def _read(self) -> dict[int | None, _Held]:
        """What MLflow holds of this phase, by trial number; None is the study's own run."""
        from mlflow.entities import ViewType

        experiment = self._client.get_experiment_by_name(self._study)
        self._experiment = None if experiment is None else experiment.experiment_id
        runs: dict[int | None, _Held] = {}
        if experiment is not None:
            if experiment.lifecycle_stage == "deleted":
                self._client.restore_experiment(experiment.experiment_id)
            found: list[Run] = []
            token: str | None = ""
            while token is not None:
                page = self._client.search_runs(
                    [experiment.experiment_id],
                    f"tags.`{PHASE}` = '{self._phase}' AND tags.`{UID}` = '{self._uid}'",
                    ViewType.ACTIVE_ONLY,
                    order_by=["attributes.start_time ASC"],
                    page_token=token or None,
                )
                found += page
                token = page.token or None
            self._sort_in(runs, [run for run in found if PARENT not in run.data.tags])
            if None in runs:
                parent = runs[None].run_id
                self._sort_in(runs, [run for run in found if run.data.tags.get(PARENT) == parent])
        self._runs = runs
        return runs

    def _sort_in(self, runs: dict[int | None, _Held], found: "Sequence[Run]") -> None:
        for run in found:
            tags = dict(run.data.tags)
            number = int(tags[NUMBER]) if NUMBER in tags else None
            if number in runs:
                # Made twice, because the answer to the first request was lost on its way.
                self._client.delete_run(run.info.run_id)
                continue
            runs[number] = _held(run)
            self.run_ids[number] = run.info.run_id

    def _create(self, patch: RunPatch, runs: dict[int | None, _Held]) -> _Held:
        if self._experiment is None:
            self._experiment = self._client.create_experiment(self._study, self._store.artifact_uri)
        tags = {
            STUDY: self._study,
            PHASE: self._phase,
            UID: self._uid,
            "mlflow.source.name": "finetune-search",
        }
        if patch.number is None:
            name = self._study if self._phase in WHOLE else f"{self._study}-{self._phase}"
        else:
            if None not in runs:
                runs[None] = self._create(RunPatch(None, start_time=patch.start_time), runs)
                self.run_ids[None] = runs[None].run_id
            name = f"trial-{patch.number:03d}"
            tags |= {PARENT: runs[None].run_id, NUMBER: str(patch.number)}
        start_time = patch.start_time or round(time.time() * 1000)
        run = self._client.create_run(self._experiment, start_time=start_time, tags=tags, run_name=name)
        return _Held(run.info.run_id, run.info.status, tags)


def _held(run: "Run") -> _Held:
    """What MLflow says that a run holds."""
    data = run.data
    return _Held(run.info.run_id, run.info.status, dict(data.tags), dict(data.params), dict(data.metrics))


def _tags(patch: RunPatch, held: _Held) -> dict[str, str]:
    tags = {_name(key): _cut(value, TAG_CHARACTERS) for key, value in patch.tags.items()}
    if patch.nonfinite:
        key = "study.nonfinite" if patch.number is None else "trial.nonfinite"
        known = {name for name in held.tags.get(key, "").split(", ") if name}
        tags[key] = _cut(", ".join(sorted(known | set(patch.nonfinite))), TAG_CHARACTERS)
    return tags


def _agrees(held: _Held, patch: RunPatch) -> bool:
    """Whether a finished run holds all that the patch says, as far as its tags and latest values show."""
    # A param that MLflow holds cannot change, so it is enough that it is there.
    return (
        patch.status == held.status != "RUNNING"
        and all(held.tags.get(key) == value for key, value in _tags(patch, held).items())
        and all(_name(key) in held.params for key in patch.params)
        and all(held.metrics.get(key) == value for key, value in _latest(patch.points).items())
    )


def _latest(points: Sequence[Point]) -> dict[str, float]:
    """Each metric's value at its last step, as MLflow shows it."""
    return {
        _name(point.key): point.value for point in sorted(points, key=lambda p: (p.step, p.time, p.value))
    }


def _name(key: str) -> str:
    """A name that MLflow takes: what it forbids becomes `_`."""
    name = _FORBIDDEN.sub("_", key)[:NAME_CHARACTERS] or "_"
    # It reads names as paths, and wants them in their shortest form and inside their folder.
    if name.startswith(("/", "..")) or posixpath.normpath(name) != name or name == ".":
        name = name.replace("/", "_").replace("..", "__")
    return "_" if name == "." else name


def _cut(value: str, characters: int) -> str:
    return value if len(value) <= characters else value[: characters - 1] + "…"


def _chunks(items: list[T], size: int) -> list[list[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _at(chunks: list[list[T]], index: int) -> list[T]:
    return chunks[index] if index < len(chunks) else []

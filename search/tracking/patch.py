"""What a run in MLflow must come to hold, as plain values: made from the ledger, merged, spooled, written."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from search.score import FOLD_EPOCHS, trial_score

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

RECORD = "record:"
REPORT = "report"
ENDED = "trial.epochs"
"""The tag that a run gets last: with it the run has all that its trial has."""
SCORE = "score"
"""The best so far: first in each record, since MLflow's compare page preselects the first metric that it knows."""
STATUS = {"RUNNING": "RUNNING", "COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}


class Point(NamedTuple):
    """One value of one metric; MLflow stores a point once, however often it is logged.

    Attributes:
        key: The metric's name.
        value: Finite.
        time: Milliseconds since 1970 (UTC).
        step: The epoch, from 1.
    """

    key: str
    value: float
    time: int
    step: int


@dataclass(frozen=True)
class RunPatch:
    """A part of what a run must hold. Later patches of the same run win where they disagree.

    Attributes:
        number: The trial's, or None for the study's own (parent) run.
        tags: To set; they may change.
        params: To set; MLflow never lets one change.
        points: Of metrics.
        artifacts: File name to text.
        experiment: Tags of the study's experiment, of the study's own run; what is there already stays.
        nonfinite: Names of metrics that were NaN or infinite somewhere, and so left out.
        status: MLflow's word, or None to leave it as it is.
        start_time: Milliseconds since 1970, for a run that is not there yet.
        end_time: Milliseconds since 1970, for a status that ends the run.
        whole: Whether this is all that the ledger knows of the trial.
    """

    number: int | None
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    points: tuple[Point, ...] = ()
    artifacts: Mapping[str, str] = field(default_factory=dict)
    experiment: Mapping[str, str] = field(default_factory=dict)
    nonfinite: tuple[str, ...] = ()
    status: str | None = None
    start_time: int | None = None
    end_time: int | None = None
    whole: bool = False

    def then(self, later: Self) -> Self:
        """This patch and a later one of the same run as one."""
        return replace(
            self,
            tags={**self.tags, **later.tags},
            params={**self.params, **later.params},
            points=tuple(dict.fromkeys(self.points + later.points)),
            artifacts={**self.artifacts, **later.artifacts},
            experiment={**self.experiment, **later.experiment},
            nonfinite=tuple(sorted({*self.nonfinite, *later.nonfinite})),
            status=later.status or self.status,
            start_time=later.start_time if self.start_time is None else self.start_time,
            end_time=self.end_time if later.end_time is None else later.end_time,
            whole=self.whole or later.whole,
        )

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Self:
        """The patch that `to_json` wrote.

        Raises:
            ValueError: If the line is torn, or no patch.
        """
        fields = json.loads(line)
        try:
            points = tuple(Point(*point) for point in fields.pop("points"))
            return cls(**{**fields, "points": points, "nonfinite": tuple(fields["nonfinite"])})
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"a spooled line must be a patch of a run, but got {line[:80]!r}") from error


def merge(patches: Sequence[RunPatch]) -> list[RunPatch]:
    """One patch a run, the study's own run first, then in the order in which the runs first appear."""
    merged: dict[int | None, RunPatch] = {}
    for patch in patches:
        merged[patch.number] = merged[patch.number].then(patch) if patch.number in merged else patch
    return sorted(merged.values(), key=lambda patch: patch.number is not None)


def milliseconds(moment: datetime) -> int:
    """A moment (naive ones, as Optuna's are, in local time) as milliseconds since 1970."""
    return round(moment.timestamp() * 1000)


def points_of(
    epoch: int, time_ms: int, metrics: Mapping[str, float]
) -> tuple[tuple[Point, ...], tuple[str, ...]]:
    """The finite metrics of an epoch as points, and the names of the others."""
    values = {str(key): float(value) for key, value in metrics.items()}
    points = tuple(
        Point(key, value, int(time_ms), int(epoch)) for key, value in values.items() if math.isfinite(value)
    )
    return points, tuple(sorted(key for key, value in values.items() if not math.isfinite(value)))


def patch_of_record(number: int, epoch: int, time_ms: int, metrics: Mapping[str, float]) -> RunPatch:
    """What one finished epoch adds to its trial's run."""
    points, nonfinite = points_of(epoch, time_ms, metrics)
    return RunPatch(number, points=points, nonfinite=nonfinite, start_time=int(time_ms))


def patch_of_trial(trial: "FrozenTrial") -> RunPatch:
    """All that the ledger knows of a trial. The same ledger gives the same patch, to the millisecond.

    Args:
        trial: RUNNING or finished; its records are ``user_attrs["record:<epoch>"]``.

    Raises:
        KeyError: If the trial has not started (WAITING).
    """
    records = {
        int(name.removeprefix(RECORD)): record
        for name, record in trial.user_attrs.items()
        if name.startswith(RECORD) and int(name.removeprefix(RECORD)) in trial.intermediate_values
    }  # one without its score was cut short by a crash, and comes again
    points: tuple[Point, ...] = ()
    nonfinite: set[str] = set()
    scores: dict[int, float] = {}
    for epoch, record in sorted(records.items()):
        scores[epoch] = trial.intermediate_values[epoch]
        score = trial_score(scores, trial.user_attrs.get(FOLD_EPOCHS))
        more, missing = points_of(epoch, record["time"], {SCORE: score, **record["metrics"]})
        points += more
        nonfinite.update(missing)
    tags = {"trial.number": str(trial.number), "trial.state": trial.state.name}
    for name in ("seed", "reason", "seconds", "candidate"):
        if trial.user_attrs.get(name, "") != "":
            tags[f"trial.{name}"] = str(trial.user_attrs[name])
    if "candidate" in trial.user_attrs:  # a training of the confirmation is called what it confirms
        tags["mlflow.runName"] = f"{trial.user_attrs['candidate']}, seed {trial.user_attrs.get('seed')}"
    if written := trial.user_attrs.get("diagnosis"):
        from search.diagnoses import described

        tags["diagnosis"] = ", ".join(one["name"] for one in written)
        tags["mlflow.note.content"] = described(written)
    end_time = None
    if trial.state.is_finished():
        tags[ENDED] = str(len(records))
        end_time = milliseconds(trial.datetime_complete) if trial.datetime_complete else None
    report = trial.user_attrs.get(REPORT)
    return RunPatch(
        number=trial.number,
        tags=tags,
        params={name: str(value) for name, value in trial.params.items()},
        points=points,
        nonfinite=tuple(sorted(nonfinite)),
        status=STATUS[trial.state.name],
        start_time=_start(trial, records),
        end_time=end_time,
        whole=True,
        artifacts={"report.json": json.dumps(report, indent=1)} if report else {},
    )


def _start(trial: "FrozenTrial", records: Mapping[int, Mapping[str, Any]]) -> int | None:
    """When its first epoch began. A trial is asked for before a worker is free, and that wait is not its own."""
    if records:
        first = records[min(records)]
        return int(first["time"] - 1000 * first["metrics"].get("epoch_seconds", 0.0))
    return milliseconds(trial.datetime_start) if trial.datetime_start else None

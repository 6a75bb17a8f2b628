"""What happens to a comparison's trainings, passed on to MLflow and to whoever watches."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Mapping
from statistics import fmean
from types import TracebackType

from optuna.trial import FrozenTrial

from search.comparison.comparison import Comparison
from search.comparison.difference import FIRST, SECOND
from search.comparison.entry import LABELS, A, Entry
from search.comparison.flat import flat
from search.decisions.listener import Listener
from search.ledger import Ledger
from search.score import trial_score
from search.spec import StudySpec
from search.store.layout import Store
from search.tracking.patch import SCORE
from search.tracking.projection import Projection
from search.tracking.provenance import provenance
from search.tracking.views import comparison_links, of_comparison
from search.view import comparison as said
from search.view import words
from search.view.progress import COMPARE
from search.view.view import View
from spaces.document import write_document
from trainables.protocol import EpochRecord

TABLE = "seeds.json"
"""Scores by seed as a table that MLflow's page shows."""


class ComparisonRecording(Listener):
    """Keeps MLflow and the screen up to date, as `search.recording.Recording` does for a study.

    Both recipes' trainings are nested in one run. There, and on the screen, they are numbered in pairs: A's first, B's
    first, A's second, …

    Args:
        store: Where MLflow is.
        entry: What is compared.
        specs: Phase → what a study of that recipe would be.
        ledgers: Phase → its ledger.
        uid: The comparison's own.
        view: Who watches.
    """

    def __init__(
        self,
        store: Store,
        entry: Entry,
        specs: Mapping[str, StudySpec],
        ledgers: Mapping[str, Ledger],
        uid: str,
        view: View,
    ) -> None:
        self._entry, self._specs, self._ledgers, self._view = entry, specs, ledgers, view
        self._scores: dict[tuple[str, int], dict[int, float]] = {}
        self._projection = Projection(store, entry.name, phase=COMPARE, uid=uid)

    def __enter__(self) -> ComparisonRecording:
        entry = self._entry
        sides = [flat(side.recipe) for side in entry.sides]
        differ = {name for one in entry.differences for name in (one.name, *one.brings)}
        params = {
            name: f"{FIRST}: {sides[0].get(name)}, {SECOND}: {sides[1].get(name)}"
            if name in differ
            else str(value)
            for name, value in (sides[1] | sides[0] | {"data": entry.sides[0].recipe.data}).items()
            if name in differ or value is not None
        }
        artifacts = {
            f"{label}.yaml": write_document(side.noted()["recipe"])
            for label, side in zip(LABELS.values(), entry.sides, strict=True)
        }
        purpose = f"{FIRST} is {entry.sides[0].typed}, {SECOND} is {entry.sides[1].typed}."
        self._projection.open_study(
            params=params,
            tags={f"provenance.{key}": value for key, value in provenance().items()},
            artifacts=artifacts,
            experiment=of_comparison(f"A comparison of two recipes. {purpose}", round(time.time() * 1000)),
        )
        known = [
            numbered(phase, trial) for phase, ledger in self._ledgers.items() for trial in ledger.trials()
        ]
        self._projection.sync(known, self._tell_mended)
        return self

    def _tell_mended(self, count: int) -> None:
        self._view.on_note(f"MLflow lacked something of {words.count(count, 'training')}, and has it now")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        status = "FINISHED" if kind is None else "KILLED" if issubclass(kind, KeyboardInterrupt) else "FAILED"
        if trouble := self._projection.close(status):
            self._view.on_trouble(trouble)

    def on_start(self, phase: str, trial: FrozenTrial, resumed_at: int) -> None:
        """To the screen; MLflow's run begins with the first record, so that it does not count the wait."""
        self._scores[phase, trial.number] = dict(trial.intermediate_values)
        if resumed_at:
            self._projection.start(numbered(phase, trial))
        self._view.on_start(COMPARE, numbered(phase, trial), resumed_at)

    def on_record(self, phase: str, number: int, record: EpochRecord, time_ms: int) -> None:
        """To both."""
        scores = self._scores[phase, number]
        if not scores:
            self._projection.start(numbered(phase, self._ledgers[phase].trial(number)))
        scores[record.epoch] = record.score
        spec = self._specs[phase]
        score = trial_score(scores, spec.epochs if spec.trainings > 1 else None)
        metrics = {SCORE: score, **record.metrics}
        self._projection.record(number_of(phase, number), record.epoch, time_ms, metrics)
        self._view.on_record(COMPARE, number_of(phase, number), record)

    def on_fault(self, phase: str, number: int, reason: str) -> None:
        """To the screen; in MLflow the run stays open."""
        self._scores.pop((phase, number), None)
        self._view.on_fault(COMPARE, number_of(phase, number), reason)

    def on_end(self, phase: str, trial: FrozenTrial) -> None:
        """To both."""
        self._scores.pop((phase, trial.number), None)
        self._projection.end(numbered(phase, trial))
        self._view.on_end(COMPARE, numbered(phase, trial))

    def conclude(self, comparison: Comparison) -> None:
        """The verdict, the figures and the scores by seed, on the comparison's own run."""
        found, ratio = comparison.difference, comparison.ratio
        metrics: dict[str, float] = {}
        for label, one in zip(LABELS.values(), comparison.both, strict=True):
            if one.scores:
                metrics[f"{label}/score"] = fmean(one.scores.values())
                metrics[f"{label}/seconds"] = fmean(one.seconds.values())
        if found is not None:
            metrics["comparison/difference"] = found.value
            metrics["comparison/seeds"] = found.seeds
            if found.margin is not None:
                metrics["comparison/difference_margin"] = found.margin
        if ratio is not None:
            metrics["comparison/seconds_ratio"] = ratio.value
        rows = [[seed, *(one.scores.get(seed) for one in comparison.both)] for seed in comparison.seeds]
        text = [
            comparison_links(),
            f"**{comparison.verdict}**",
            said.what_differs(comparison),
            "\n".join(f"- {side}" for side in said.sides(comparison)),
            *said.further(comparison),
        ]
        tags = {
            "mlflow.note.content": "\n\n".join(text),
            "mlflow.loggedArtifacts": json.dumps([{"path": TABLE, "type": "table"}]),
            "comparison.controlled": str(comparison.controlled).lower(),
            "comparison.better": comparison.better or "too close to tell",
        }
        artifacts = {
            "comparison.json": json.dumps(comparison.to_dict(), indent=1),
            TABLE: json.dumps({"columns": ["seed", FIRST, SECOND], "data": rows}),
        }
        self._projection.annotate(tags=tags, metrics=metrics, artifacts=artifacts)
        self._projection.flush()


def number_of(phase: str, number: int) -> int:
    """A training's number among those of both recipes."""
    return 2 * number + (phase != A)


def numbered(phase: str, trial: FrozenTrial) -> FrozenTrial:
    """A training of a ledger by that number."""
    found = copy.copy(trial)
    found.number = number_of(phase, trial.number)
    return found

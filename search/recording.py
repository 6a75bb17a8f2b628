"""What happens to trials, passed on to MLflow and to whoever watches."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import partial
from statistics import fmean
from types import TracebackType

from optuna.trial import FrozenTrial

from search.answer.race import Race
from search.checkpoints import CONFIRM, SEARCH
from search.decisions.listener import Listener
from search.gathering.teller import Teller
from search.ledger import Ledger
from search.recipe import recipe_of
from search.register import uid_of
from search.registry.registry import ALIAS
from search.result import StudyResult
from search.score import trial_score
from search.spec import LIMITS, OWN_CORE, StudySpec
from search.store.layout import Store
from search.tracking.patch import SCORE
from search.tracking.projection import Projection
from search.tracking.provenance import provenance
from search.tracking.views import links, of_experiment
from search.view import words
from search.view.answer import sentences
from search.view.view import View
from spaces import SearchSpace
from spaces.document import write_document
from trainables.config import Fixed
from trainables.data.dataset import Origin
from trainables.protocol import EpochRecord

TABLE = "leaderboard.json"
"""The trials as a table that MLflow's page shows."""


class Recording(Listener):
    """A listener (see `search.decisions.listener.Listener`) that keeps MLflow and the screen up to date.

    As a context it opens a parent run for each phase, brings MLflow in line with the ledger first (an
    earlier driver may have died in the middle), and closes the runs with their true status.

    Args:
        store: Where MLflow is.
        spec: The study.
        space: Its space.
        fixed: Its constants, every ``auto`` decided.
        ledgers: Phase → its ledger: of the search, and of what follows it in this run.
        view: Who watches.
        origin: Where the images come from, of a data set that was read from a source.
    """

    def __init__(
        self,
        store: Store,
        spec: StudySpec,
        space: SearchSpace,
        fixed: Fixed,
        ledgers: Mapping[str, Ledger],
        view: View,
        origin: Origin | None = None,
    ) -> None:
        self._spec = spec
        self._space = space
        self._fixed = fixed
        self._view = view
        self._race: tuple[set[str], int, bool] | None = None
        self._changes: tuple[int, int] | None = None
        self._origin = origin
        self._ledgers = ledgers
        self._teller = Teller(space, ledgers[SEARCH].trials())
        self._scores: dict[tuple[str, int], dict[int, float]] = {}
        uid = uid_of(ledgers[SEARCH])
        self._projections = {phase: Projection(store, spec.name, phase=phase, uid=uid) for phase in ledgers}

    def __enter__(self) -> Recording:
        spec = self._spec
        tags = {f"provenance.{key}": value for key, value in provenance().items()}
        artifacts = {
            "spec.yaml": write_document(json.loads(spec.model_dump_json())),
            "space.yaml": write_document(self._space.to_dict()),
        }
        if self._origin is not None:
            artifacts["split.csv"] = self._origin.table()
        searched = self._space.leaves()
        held = self._fixed.model_dump() | {
            key: getattr(spec, key)
            for key in ("data", "space", "trials", "searcher", "scheduler", "eta", "seed")
        }
        params = {
            key: str(value) for key, value in held.items() if key not in searched and value not in (None, {})
        }
        purpose = spec.hypothesis or f"A search for the best way to fine-tune {spec.model} on {spec.data}."
        experiment = of_experiment(self._space, purpose, round(time.time() * 1000))
        for phase, projection in self._projections.items():
            projection.open_study(params=params, tags=tags, artifacts=artifacts, experiment=experiment)
            projection.sync(self._ledgers[phase].trials(), partial(self._tell_mended, phase))
        return self

    def _tell_mended(self, phase: str, count: int) -> None:
        trials = {SEARCH: "trial", CONFIRM: "confirmation"}.get(phase, "change")
        self._view.on_note(f"MLflow lacked something of {words.count(count, trials)}, and has it now")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        status = "FINISHED" if kind is None else "KILLED" if issubclass(kind, KeyboardInterrupt) else "FAILED"
        for projection in self._projections.values():
            trouble = projection.close(status)
            if trouble:
                self._view.on_trouble(trouble)

    def on_start(self, phase: str, trial: FrozenTrial, resumed_at: int) -> None:
        """To the screen; MLflow's run begins with the first record, so that it does not count the wait."""
        self._scores[phase, trial.number] = dict(trial.intermediate_values)
        if phase == SEARCH:
            self._teller.began(trial)
        if resumed_at:
            self._projections[phase].start(trial)
        self._view.on_start(phase, trial, resumed_at)

    def on_record(self, phase: str, number: int, record: EpochRecord, time_ms: int) -> None:
        """To both."""
        projection = self._projections[phase]
        scores = self._scores[phase, number]
        if not scores:
            projection.start(self._ledgers[phase].trial(number))
        scores[record.epoch] = record.score
        if phase == SEARCH:
            self._teller.record(number, record.epoch)
        score = trial_score(scores, self._spec.epochs if self._spec.trainings > 1 else None)
        projection.record(number, record.epoch, time_ms, {SCORE: score, **record.metrics})
        self._view.on_record(phase, number, record)

    def on_pause(self, phase: str, number: int) -> None:
        """To the screen; in MLflow the run stays open."""
        self._scores.pop((phase, number), None)
        self._view.on_pause(phase, number)

    def on_fault(self, phase: str, number: int, reason: str) -> None:
        """To the screen; in MLflow the run stays open."""
        self._scores.pop((phase, number), None)
        self._view.on_fault(phase, number, reason)

    def on_end(self, phase: str, trial: FrozenTrial) -> None:
        """To both."""
        self._scores.pop((phase, trial.number), None)
        self._projections[phase].end(trial)
        self._view.on_end(phase, trial)
        for sentence in self._teller.news(trial) if phase == SEARCH else ():
            self._view.on_note(sentence)

    def on_closing(self, phase: str, reason: str) -> None:
        """To the screen, where a search could have ended for more reasons than its number of trials."""
        others = (*LIMITS[1:], "enough")
        if phase == SEARCH and any(getattr(self._spec, name) for name in others):
            self._view.on_note(f"no new trials: {reason}")

    def on_shortage(self, phase: str, sentence: str) -> None:
        """To the screen."""
        self._view.on_note(sentence)

    def on_race(self, race: Race, trainings: int) -> None:
        """The search is over, and so far has the race among its finalists come; said where that is news."""
        news = {*race.contenders}, race.seeds, race.over
        if news != self._race:
            self._race = news
            self._view.on_race(race, trainings)

    def on_changes(self, changes: int, trainings: int) -> None:
        """The winner is trained again with so many changes; said once."""
        if (changes, trainings) != self._changes:
            self._changes = changes, trainings
            self._view.on_changes(changes, trainings)

    def flush(self) -> bool:
        """Wait a minute at most until MLflow has what happened so far; whether it has."""
        written = [projection.flush() for projection in self._projections.values()]
        return all(written)

    def run_id(self, number: int) -> str | None:
        """MLflow's run of a trial of the search, as far as it is written."""
        return self._projections[SEARCH].run_id(number)

    @property
    def parent_id(self) -> str | None:
        """MLflow's run of the study itself, as far as it is written."""
        return self._projections[SEARCH].parent_id

    def conclude(self, result: StudyResult) -> None:
        """The leaderboard, the winning recipe and its figures, on the parent run."""
        frame = result.dataframe()
        # As MLflow's own `log_table` writes one: its page shows it as a table.
        places = {trial.number: place for place, trial in enumerate(result.ranking())}
        ranked = frame.sort_values("number", key=lambda numbers: numbers.map(places))
        table = json.loads(ranked.to_json(orient="split", index=False))
        artifacts = {
            "leaderboard.csv": frame.to_csv(index=False),
            TABLE: json.dumps({"columns": table["columns"], "data": table["data"]}),
        }
        tags = {
            "mlflow.note.content": "\n\n".join(
                [links(), *sentences(result, self._spec), self._where_more_is()]
            ),
            "mlflow.loggedArtifacts": json.dumps([{"path": TABLE, "type": "table"}]),
        }
        metrics: dict[str, float] = {}
        if any(trial.state == "COMPLETE" for trial in result.trials):
            best = result.best
            seed = self._ledgers[SEARCH].trial(best.number).user_attrs["seed"]
            artifacts["recipe.yaml"] = recipe_of(
                self._spec, best.params, seed=seed, settled=self._fixed.model_dump()
            )
            tags["winner.trial"] = str(best.number)
            metrics["best/score"] = best.score if best.score is not None else 0.0
        answer = result.answer
        if answer is not None and answer.winner.test:
            metrics["winner/test_accuracy"] = fmean(answer.winner.test)
        if answer is not None and (sound := answer.winner.soundness) is not None:
            metrics["winner/test_ece"] = sound.before.reliability.ece
            weakest = min(one.recall for one in sound.classes if one.recall is not None)
            metrics["winner/test_accuracy_of_weakest_class"] = weakest
        if answer is not None and answer.baseline is not None and answer.baseline.test:
            metrics["baseline/test_accuracy"] = fmean(answer.baseline.test)
        if answer is not None and (difference := answer.difference) is not None:
            metrics["winner/above_baseline"] = difference.value
            if difference.margin is not None:
                metrics["winner/above_baseline_margin"] = difference.margin
        if result.account is not None:
            metrics |= result.account.metrics()
        self._projections[SEARCH].annotate(tags=tags, metrics=metrics, artifacts=artifacts)
        for projection in self._projections.values():
            projection.flush()

    def _where_more_is(self) -> str:
        """Markdown, as MLflow shows a run's description."""
        name = self._spec.name
        model = (
            f'The winner itself is under *Registered models*: `mlflow.pyfunc.load_model("models:/{name}@{ALIAS}")`.\n\n'
            if self._spec.registered and self._spec.trainable == OWN_CORE
            else ""
        )
        return model + (
            f"Under Artifacts: `report.html` is the whole story, `{TABLE}` the trials, `recipe.yaml` the winner's "
            "recipe. To compare trials, tick them among this run's children and press Compare.\n\n"
            f"`finetune-search show {name}` prints what mattered and what to look at; `finetune-search best {name} "
            "--export DIR` writes the model; `finetune-search perturb "
            f"{name}` changes one thing about the winner at a time."
        )

    def attach(self, artifacts: Mapping[str, str]) -> None:
        """Further files on the parent run: name → text."""
        if artifacts:
            self._projections[SEARCH].annotate(artifacts=artifacts)
            self._projections[SEARCH].flush()

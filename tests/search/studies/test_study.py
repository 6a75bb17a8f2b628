"""A study on the real Ray, Optuna and MLflow, small enough for every run of the tests."""

from __future__ import annotations

import html
import json
import math
from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import Any

import mlflow
import optuna
import pytest
from optuna.trial import TrialState

from search.cleaning import removable, remove
from search.ledger import records_of
from search.overview import load_study
from search.register import confirm_name
from search.spec import OWN_CORE
from search.store.databases import open_storage
from search.tracking.states import mlflow_states
from search.view.answer import sentences
from search.view.silent import Silent
from spaces import InputError
from tests.search.parts import ODD

SETTINGS = {
    "trials": 16, "finalists": 2, "finalist_seeds": 2, "trainable": "tests.search.parts:Faulty",
    "searcher": "random", "seed": 3,
    "narrow": {  # no recipe learns faster than the baseline, so none that came before it can have it pruned
        "batch_size": {"low": 8, "high": 24, "default": 8},
        "strategy": "full",
        "strategy.full.lr": {"low": 1e-6, "high": 1e-3, "default": 1e-3},
    },
}  # fmt: skip
STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}


def states_everywhere(study) -> tuple[Counter, Counter, Counter]:
    """(state, number) as the ledger, MLflow and the user's table have them."""
    ledger = optuna.load_study(study_name=study.spec.name, storage=open_storage(study.store))
    in_ledger = Counter((trial.number, trial.state.name) for trial in ledger.trials)
    in_mlflow: Counter = Counter()
    for number, (status, state) in mlflow_states(study.store, study.spec.name).items():
        assert STATUS[state] == status
        in_mlflow[number, state] += 1
    frame = study.result().dataframe()
    in_table = Counter(zip(frame["number"], frame["state"], strict=True))
    return in_ledger, in_mlflow, in_table


def epochs_trained(tmp_path: Path) -> Counter:
    return Counter((tmp_path / "epochs.log").read_text().splitlines())


@pytest.mark.timeout(300)
def test_a_study_with_faults_ends_with_true_states_and_an_answer(small_study, tmp_path):
    study = small_study(**SETTINGS)
    result = study.run()
    frame = result.dataframe()
    assert list(frame.columns[:6]) == ["number", "state", "score", "epochs", "seconds", "reason"]
    assert list(frame["number"]) == list(range(16))
    counts = frame["state"].value_counts().to_dict()
    assert set(counts) == {"COMPLETE", "PRUNED", "FAIL"}, counts

    in_ledger, in_mlflow, in_table = states_everywhere(study)
    assert in_ledger == in_mlflow == in_table

    for trial in result.trials:
        if trial.state == "FAIL":
            diverged = trial.params["dropout"] > 0.4
            assert ("diverged: loss was nan" if diverged else "a bug in the user's own code") in trial.reason
            assert trial.epochs == 1
        elif trial.state == "PRUNED":
            assert "paused at epoch" in trial.reason
            assert 0 < trial.epochs < 9
        else:
            assert trial.epochs == 9
            assert trial.params["dropout"] <= 0.25
    assert frame["state"][0] == "COMPLETE"
    assert result.trials[0].params == study.spec.search_space().baseline()

    assert set(epochs_trained(tmp_path).values()) == {1}
    assert result.answer is not None
    assert len(result.answer.winner.val) == 2
    assert result.best.state == "COMPLETE"
    confirmations = optuna.load_study(study_name=confirm_name("small"), storage=open_storage(study.store))
    assert {trial.state for trial in confirmations.trials} == {TrialState.COMPLETE}

    # The report is on the study's own run, and says what the study says.
    client = mlflow.MlflowClient(study.store.mlflow_uri)
    parent = client.get_run(result.trials[0].run_id).data.tags["mlflow.parentRunId"]
    page = client.download_artifacts(parent, "report.html", str(tmp_path))
    assert sentences(result, study.spec)[-1] in html.unescape(Path(page).read_text()).replace(
        "\N{NO-BREAK SPACE}", " "
    )
    figures = client.download_artifacts(parent, "report.json", str(tmp_path))
    assert json.loads(Path(figures).read_text())["winner"]["params"] == result.best.params

    table = client.download_artifacts(parent, "leaderboard.json", str(tmp_path))
    rows = json.loads(Path(table).read_text())
    assert len(rows["data"]) == 16
    assert rows["columns"] == list(frame.columns)
    assert [row[0] for row in rows["data"]] == [trial.number for trial in result.ranking()]
    tags = client.get_run(parent).data.tags
    assert json.loads(tags["mlflow.loggedArtifacts"]) == [{"path": "leaderboard.json", "type": "table"}]
    assert "`report.html` is the whole story" in tags["mlflow.note.content"]

    # The same call again finds everything done: nothing runs, nothing changes.
    again = study.run()
    assert again.dataframe().equals(frame)
    assert set(epochs_trained(tmp_path).values()) == {1}
    assert all(trial.run_id for trial in again.trials)

    # One thing about the winner is changed at a time, on the seeds that measured it; the test split stays as it is.
    changes = study.perturb(only=["dropout"]).changes
    assert changes.params == again.best.params
    assert (changes.left, changes.seeds) == (0, 2)
    assert list(changes.scores.values()) == list(result.answer.winner.val)  # not trained again
    for change in changes.changes:
        assert change.parameter == "dropout"
        fails = change.after > 0.25
        assert (len(change.scores), change.failed) == ((0, 2) if fails else (2, 0))
        assert (change.verdict == "fails") == fails
    assert {again.best.params["dropout"], *(change.after for change in changes.changes)} >= {0.0}
    assert set(epochs_trained(tmp_path).values()) == {1}
    assert study.perturb(only=["dropout"]).changes == changes
    assert set(epochs_trained(tmp_path).values()) == {1}
    assert study.result().changes == changes
    states = mlflow_states(study.store, "small", "perturb").values()
    assert Counter(states)["FINISHED", "COMPLETE"] == sum(len(change.scores) for change in changes.changes)
    assert not list((study.store.root / "checkpoints" / "small" / "perturb").rglob("*.safetensors"))
    assert study.run().answer.openings == result.answer.openings
    with pytest.raises(InputError, match="must be one of the winner's that can vary, but got 'droput'"):
        study.perturb(only=["droput"])

    # Of those that did not win nothing but the weights can go, and it is those that a user is shown.
    winner, answer = result.best, result.answer
    parts = removable(study.store, ["small"])
    assert {part.what for part in parts} == {
        "weights of a finalist of 'small' that did not win",
        "weights of a trial of 'small' that did not win",
    } - ({"weights of a finalist of 'small' that did not win"} if len(answer.finalists) == 1 else set())
    remove(study.store, parts, ["small"])
    assert Path(winner.checkpoint).exists()
    assert removable(study.store, ["small"]) == []
    assert study.run().dataframe().equals(frame)

    # With more trials the study goes on; what it had stays as it was, and its rungs are replayed.
    longer = small_study(**{**SETTINGS, "trials": 18}).run().dataframe()
    assert list(longer["number"]) == list(range(18))
    assert longer[:16].equals(frame)
    assert set(longer["state"]) <= {"COMPLETE", "PRUNED", "FAIL"}
    assert set(epochs_trained(tmp_path).values()) == {1}
    in_ledger, in_mlflow, in_table = states_everywhere(study)
    assert in_ledger == in_mlflow == in_table

    # A study is what it is: another space, or other constants, need another name.
    for change, words in (({"dropout": 0.1}, "another space"), ({"epochs": 8}, "epochs=9, but now epochs=8")):
        with pytest.raises(InputError, match=words):
            small_study(**{**SETTINGS, **change}).run()


@pytest.mark.timeout(300)
def test_a_dead_worker_costs_no_epoch_and_no_trial(small_study, tmp_path):
    study = small_study(
        trials=2, finalists=0, scheduler="none", epochs=4, trainable="tests.search.parts:Deadly", workers=2
    )
    result = study.run()
    assert [trial.state for trial in result.trials] == ["COMPLETE", "COMPLETE"]
    assert [trial.epochs for trial in result.trials] == [4, 4]
    assert (tmp_path / f"died-{_seed(study, 0)}").exists()
    assert set(epochs_trained(tmp_path).values()) == {1}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_worker_that_dies_before_an_epoch_is_on_the_disk_costs_that_epoch(small_study, tmp_path):
    result = small_study(
        trials=2,
        finalists=0,
        scheduler="none",
        epochs=4,
        trainable="tests.search.parts:DeadlyAtOnce",
        workers=2,
    ).run()
    assert [(trial.state, trial.epochs) for trial in result.trials] == [("COMPLETE", 4)] * 2
    assert all(times == 1 or line.endswith(" 2") for line, times in epochs_trained(tmp_path).items())
    assert max(epochs_trained(tmp_path).values()) <= 2


@pytest.mark.timeout(300)
def test_a_process_trains_so_many_trials_and_a_new_one_goes_on(small_study, tmp_path, monkeypatch):
    monkeypatch.setattr("search.execution.adapters.TRIALS_A_PROCESS", 3)
    study = small_study(
        trials=9, finalists=0, scheduler="none", searcher="random", epochs=2, workers=2,
        trainable="tests.search.parts:Placed",
    )  # fmt: skip
    result = study.run()
    assert [(trial.state, trial.epochs) for trial in result.trials] == [("COMPLETE", 2)] * 9
    lines = epochs_trained(tmp_path)
    assert len(lines) == 18
    assert set(lines.values()) == {1}
    processes = Counter(line.split()[0] for line in lines)  # epochs of each
    assert max(processes.values()) == 6
    assert 3 <= len(processes) <= 5  # nine trials by threes, and up to two processes that had more to come


@pytest.mark.timeout(300)
def test_a_search_that_is_over_is_confirmed_later_and_with_more_seeds(small_study):
    settings = {"trials": 2, "finalists": 0, "scheduler": "none", "trainable": OWN_CORE, "epochs": 2}
    assert small_study(**settings).run().answer is None
    study = small_study(**settings, registered=True)
    assert study.run().answer is None
    client = mlflow.MlflowClient(study.store.mlflow_uri, study.store.mlflow_uri)
    registered = client.get_model_version_by_alias("small", "winner")
    assert registered.tags["trial.number"] == str(study.result().best.number)
    note = client.get_run(registered.run_id).data.tags["mlflow.note.content"]
    assert 'mlflow.pyfunc.load_model("models:/small@winner")' in note
    assert "There is no confirmed answer" in registered.description
    with pytest.raises(InputError, match="a search must be over, but that of study 'small' is not"):
        small_study(**{**settings, "trials": 3}).confirm()

    first = study.confirm(finalists=2, seeds=1)
    assert [len(one.race) for one in first.answer.finalists] == [1, 1]
    assert len(first.answer.winner.test) == 1
    assert first.answer.difference is None or first.answer.difference.verdict == "too close to tell"
    later = load_study(study.store, "small")  # whose finalists are those of the confirmation
    assert (later.spec.finalists, later.spec.finalist_seeds) == (2, 1)
    more = later.confirm(seeds=2)
    assert len(more.answer.winner.test) == len(more.answer.baseline.test) == 2
    assert len(more.answer.openings) == 2
    crowned = client.get_model_version_by_alias("small", "winner")
    assert crowned.tags["trial.number"] == str(more.best.number)
    assert crowned.tags["mean_test_accuracy"] == str(fmean(more.answer.winner.test))
    assert sentences(more, later.spec)[0] in crowned.description
    assert more.answer.winner.estimate.images == 32  # of the test split
    assert [trial.score for trial in more.trials] == [trial.score for trial in first.trials]
    in_ledger, in_mlflow, in_table = states_everywhere(study)
    assert in_ledger == in_mlflow == in_table


@pytest.mark.timeout(300)
def test_recipes_that_end_themselves_are_complete_everywhere_with_their_report(small_study):
    """Patience that nothing can satisfy: each training of the real core ends after its second epoch."""
    study = small_study(
        trials=3, finalists=1, finalist_seeds=2, scheduler="none", trainable=OWN_CORE, stopping="patience",
        options={"stopping.patience.epochs": 1, "stopping.patience.improvement": 1.0},
    )  # fmt: skip
    result = study.run()
    assert [(trial.state, trial.epochs) for trial in result.trials] == [("COMPLETE", 2)] * 3
    reason = "ended by its own rule at epoch 2: no improvement by 1 in 1 epochs"
    assert {trial.reason for trial in result.trials} == {reason}
    in_ledger, in_mlflow, in_table = states_everywhere(study)
    assert in_ledger == in_mlflow == in_table
    assert result.answer is not None
    assert len(result.answer.winner.test) == 2  # the best weights were kept and could be measured

    ledger = optuna.load_study(study_name=study.spec.name, storage=open_storage(study.store))
    client = mlflow.MlflowClient(study.store.mlflow_uri)
    for trial, summary in zip(ledger.trials, result.trials, strict=True):
        report = trial.user_attrs["report"]
        assert len(report["confusion"]) == 4
        run = client.get_run(summary.run_id)
        assert run.data.metrics["final/accuracy"] == pytest.approx(report["accuracy"])
        assert run.data.metrics["final/accuracy"] == pytest.approx(summary.score)
        text = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/report.json")
        assert json.loads(text) == report
        assert {"lr", "train/update_ratio", "memory/peak_mb", "gap/accuracy"} <= set(run.data.metrics)
        assert any(name.startswith("lr/") for name in run.data.metrics)

    frame = result.dataframe()
    assert study.run().dataframe().equals(frame)


@pytest.mark.timeout(300)
def test_a_trainable_of_ones_own_ends_itself_and_its_odd_metrics_arrive(small_study, tmp_path):
    study = small_study(
        trials=2, finalists=0, scheduler="none", trainable="tests.search.parts:Ending", workers=2
    )
    result = study.run()
    assert [(trial.state, trial.epochs) for trial in result.trials] == [("COMPLETE", 3)] * 2
    assert {trial.reason for trial in result.trials} == {"ended by its own rule at epoch 3: enough"}
    assert all(trial.checkpoint is not None for trial in result.trials)
    assert set(epochs_trained(tmp_path).values()) == {1}
    in_ledger, in_mlflow, in_table = states_everywhere(study)
    assert in_ledger == in_mlflow == in_table

    ledger = optuna.load_study(study_name=study.spec.name, storage=open_storage(study.store))
    client = mlflow.MlflowClient(study.store.mlflow_uri)
    finite = {name: value for name, value in ODD.items() if math.isfinite(value)}
    for trial, summary in zip(ledger.trials, result.trials, strict=True):
        assert trial.user_attrs["report"] == {"f1": 0.25}
        for record in records_of(trial):
            assert repr({name: record.metrics[name] for name in ODD}) == repr(ODD)
        run = client.get_run(summary.run_id)
        assert run.data.metrics.items() >= finite.items()
        assert run.data.tags["trial.nonfinite"] == "odd/inf, odd/minus_inf, odd/nan"


def _seed(study, number: int) -> int:
    ledger = optuna.load_study(study_name=study.spec.name, storage=open_storage(study.store))
    return ledger.trials[number].user_attrs["seed"]


def test_where_ray_has_more_room_than_a_study_has_workers_no_more_of_them_run(small_study):
    class Counting(Silent):
        """How many trials there are at once, at most."""

        now = most = 0

        def on_start(self, *told: Any, **more: Any) -> None:
            self.now += 1
            self.most = max(self.most, self.now)

        def on_end(self, *told: Any, **more: Any) -> None:
            self.now -= 1

    counting = Counting()
    study = small_study(trials=3, finalists=0, scheduler="none", searcher="random", epochs=2, workers=1)
    assert list(study.run(counting).dataframe()["state"]) == ["COMPLETE"] * 3
    assert counting.most == 1

"""Two recipes compared on the real Ray, Optuna and MLflow: really trained, interrupted, gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import mlflow
import pytest
import yaml
from scipy import stats

from search import Comparison, Store, Study, compare, register
from search.comparison.entry import ledger_name, read, seeds_for
from search.ledger import records_of
from search.tracking.states import mlflow_states
from search.tracking.views import VIEW_TAG
from search.view.silent import Silent
from spaces import InputError
from tests.search.studies.conftest import SMALL
from tests.search.studies.test_resume import lines, wait_for
from trainables.seeds import derive_seed

PARAMS = {
    "batch_size": 32,
    "dropout": 0.0,
    "augmentation_strength": 0.3,
    "strategy": "full",
    "strategy.full.lr": 1e-3,
}
SETTINGS = {"model": "test_resnet", "pretrained": False, "precision": "fp32", "epochs": 2, "repeats": 1}


@pytest.fixture
def recipe(tmp_path):
    """A maker of recipes in files: of digits, small, with changes."""

    def write(
        name: str, params: dict | None = None, data: str = "digits", trainable: str | None = None, **settings
    ):
        whole = {
            "data": data,
            "settings": {**SETTINGS, **settings},
            "params": {**PARAMS, **(params or {})},
            **({"trainable": trainable} if trainable else {}),
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(whole))
        return path

    return write


@pytest.fixture
def store(tmp_path, small_study):
    """One whose studies share the tests' Ray."""
    return Store(tmp_path / "mlruns")


class Quitting(Silent):
    """Somebody who presses Ctrl-C after so many epochs."""

    def __init__(self, after: int) -> None:
        self._after = after

    def on_record(self, *told, **more) -> None:
        self._after -= 1
        if self._after == 0:
            os.kill(os.getpid(), signal.SIGINT)


def trainings(store: Store, name: str) -> dict[str, list]:
    return {
        phase: register.find_study(store, ledger_name(name, phase)).get_trials(deepcopy=False)
        for phase in ("a", "b")
    }


@pytest.mark.timeout(600)
def test_a_parameter_interrupted_gone_on_with_and_with_more_seeds(recipe, store, tmp_path):
    own = {"trainable": "tests.search.parts:Logged"}
    files = recipe("a", **own), recipe("b", {"strategy.full.lr": 3e-3}, **own)
    with pytest.raises(KeyboardInterrupt):
        compare(*files, seeds=2, store=store, view=Quitting(3))
    begun = read(store, "a-vs-b")
    assert begun.left > 0

    result = compare(*files, seeds=2, store=store)
    assert isinstance(result, Comparison)
    assert result.controlled
    assert (result.left, list(result.first.scores)) == (0, seeds_for(2))
    trained = Counter((tmp_path / "epochs.log").read_text().splitlines())
    assert len(trained) == 2 * 2 * SETTINGS["epochs"]
    # Only an epoch that was on its way as everything stopped may be trained again.
    assert sum(trained.values()) - len(trained) <= 2

    more = compare(*files, seeds=3, store=store)
    assert list(more.first.scores) == list(more.second.scores) == seeds_for(3)
    assert {seed: more.first.scores[seed] for seed in seeds_for(2)} == result.first.scores
    log = (tmp_path / "epochs.log").read_text()
    assert (
        compare(*files, store=store) == more == read(store, "a-vs-b")
    )  # as many seeds as it has, nothing trained
    assert (tmp_path / "epochs.log").read_text() == log

    values = [[one.scores[seed] for seed in seeds_for(3)] for one in (more.second, more.first)]
    theirs = stats.ttest_rel(*values).confidence_interval(0.95)
    found = more.difference
    assert (found.value - found.margin, found.value + found.margin) == pytest.approx(
        (theirs.low, theirs.high)
    )

    # The ledger has every training with its seed and all of its epochs, and nothing is left of weights.
    for phase, trials in trainings(store, "a-vs-b").items():
        assert [trial.user_attrs["seed"] for trial in trials] == seeds_for(3)
        assert {trial.state.name for trial in trials} == {"COMPLETE"}
        assert all(len(records_of(trial)) == SETTINGS["epochs"] for trial in trials)
        assert {trial.user_attrs["candidate"] for trial in trials} == {phase.upper()}
    assert not list((store.root / "checkpoints").rglob("*.safetensors"))
    assert not set(seeds_for(50)) & {derive_seed(0, "trial", index) % 2**31 for index in range(50)}

    # MLflow has them under one run, which says what came of it.
    states = mlflow_states(store, "a-vs-b", "compare")
    assert states == dict.fromkeys(range(6), ("FINISHED", "COMPLETE"))
    client = mlflow.MlflowClient(store.mlflow_uri)
    experiment = client.get_experiment_by_name("a-vs-b")
    assert VIEW_TAG in experiment.tags
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert more.verdict in parent.data.tags["mlflow.note.content"]
    assert parent.data.metrics["comparison/difference"] == pytest.approx(found.value)
    assert parent.data.metrics["comparison/difference_margin"] == pytest.approx(found.margin)
    assert parent.data.params["strategy.full.lr"] == "A: 0.001, B: 0.003"
    assert (parent.info.status, parent.info.run_name) == ("FINISHED", "a-vs-b")
    children = {
        (run.data.tags["trial.candidate"], run.data.tags["trial.seed"], run.data.params["strategy.full.lr"])
        for run in runs
        if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id
    }
    assert children == {
        (label, str(seed), rate) for label, rate in (("A", "0.001"), ("B", "0.003")) for seed in seeds_for(3)
    }
    kept = client.download_artifacts(parent.info.run_id, "comparison.json", str(tmp_path))
    assert json.loads(Path(kept).read_text()) == json.loads(json.dumps(more.to_dict()))

    with pytest.raises(InputError, match="exists with another recipe B"):
        compare(files[0], recipe("b", {"strategy.full.lr": 1e-2}, **own), store=store)


@pytest.mark.timeout(600)
def test_a_switch_and_settings_each_train_as_their_own_recipe_says(recipe, store):
    """As many epochs as each has, on images of its own size, with its optimizer, and the same numbers again."""
    a = recipe("a")
    switched = compare(
        a, recipe("s", {"optimizer": "sgd", "optimizer.sgd.momentum": 0.5}), seeds=1, store=store
    )
    assert [one.name for one in switched.differences] == ["optimizer"]
    assert {trial.params["optimizer"] for trial in trainings(store, "a-vs-s")["b"]} == {"sgd"}

    longer = compare(a, recipe("e", epochs=4, image_size=32), seeds=1, store=store)  # digits are of that size
    assert [one.name for one in longer.differences] == ["epochs"]
    counts = {phase: len(records_of(trials[0])) for phase, trials in trainings(store, "a-vs-e").items()}
    assert counts == {"a": 2, "b": 4}
    assert longer.first.scores == switched.first.scores  # the same recipe with the same seed

    sized = compare(a, recipe("i", image_size=24), seeds=1, store=store)
    assert sized.first.scores == switched.first.scores
    (b,) = trainings(store, "a-vs-i")["b"]
    assert (
        records_of(b)[-1].metrics["val/loss"]
        != records_of(trainings(store, "a-vs-i")["a"][0])[-1].metrics["val/loss"]
    )
    # Paired: weights that are averaged beside the training leave the training itself as it was, to the last digit.
    compare(a, recipe("m", ema_decay=0.9), seeds=1, store=store)
    losses = [
        [record.metrics["train/loss"] for record in records_of(trials[0])]
        for trials in trainings(store, "a-vs-m").values()
    ]
    assert losses[0] == losses[1]
    with pytest.raises(InputError, match="nothing that decides a training differs"):
        compare(a, recipe("same", image_size=32), seeds=1, store=store)


@pytest.mark.timeout(600)
def test_more_than_one_difference_only_where_that_is_asked_for(recipe, store):
    files = recipe("a"), recipe("b", {"dropout": 0.3, "strategy.full.lr": 3e-3})
    with pytest.raises(InputError, match="must have one difference, but 2 things differ"):
        compare(*files, seeds=1, store=store)
    assert not register.study_names(store)
    result = compare(*files, seeds=1, store=store, any_difference=True)
    assert not result.controlled
    assert result.verdict.endswith("(Not controlled: 2 things differ.)")


@pytest.mark.timeout(600)
def test_trials_of_a_study_are_compared_on_other_data(small_study):
    study: Study = small_study(trials=2, finalists=0, epochs=2, searcher="random", scheduler="none")
    study.run()
    result = compare("small:baseline", "small:1", seeds=1, store=study.store, any_difference=True, name="two")
    trials = study.result().trials
    assert result.first.side.recipe.params == trials[0].params
    assert result.second.side.recipe.params == trials[1].params
    assert result.first.side.recipe.data == SMALL["data"]
    assert len(result.paired) == 1


@pytest.mark.timeout(600)
def test_a_killed_comparison_goes_on_with_the_same_command(recipe, tmp_path):
    own = {
        "trainable": "tests.search.parts:Logged",
        "data": "tests.search.parts:quadrants",
        "repeats": 4,
        "epochs": 6,
    }
    log, root = tmp_path / "epochs.log", tmp_path / "mlruns"
    files = recipe("a", {"batch_size": 16}, **own), recipe("b", {"batch_size": 8}, **own)
    command = [
        sys.executable,
        "-m",
        "search",
        "compare",
        *map(str, files),
        "--seeds",
        "2",
        "--store",
        str(root),
    ]
    environment = {**os.environ, "FINETUNE_SEARCH_TEST_LOG": str(log), "CI": "true"}
    with (tmp_path / "first.txt").open("w") as said:
        first = subprocess.Popen(command, env=environment, stdout=said, stderr=subprocess.STDOUT)
        wait_for(lambda: len(lines(log)) >= 9, 200, first)
        first.send_signal(signal.SIGKILL)
        first.wait()
    second = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240
    )
    assert second.returncode == 0, second.stdout
    assert "goes on with" in second.stdout or "begins" in second.stdout
    comparison = read(Store(root), "a-vs-b")
    assert comparison.left == 0
    assert " ".join(comparison.verdict.split()) in " ".join(second.stdout.split())
    trained = Counter(lines(log))
    assert len(trained) == 2 * 2 * 6
    assert sum(trained.values()) - len(trained) <= 2  # of the two that were on their way
    assert set(mlflow_states(Store(root), "a-vs-b", "compare").values()) == {("FINISHED", "COMPLETE")}

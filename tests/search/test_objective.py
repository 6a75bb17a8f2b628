"""Studies written by hand: Optuna's own samplers and pruners, the project's core, spaces and MLflow layout."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from search import KeepAway, Objective, Store
from search.tracking.states import mlflow_states
from spaces import Choice, Float, Int, SearchSpace, Switch, load_space

DATA = "tests.search.parts:quadrants"
SETTINGS = {"model": "test_resnet", "pretrained": False, "precision": "fp32", "device": "cpu", "repeats": 2}
EXAMPLES = Path(__file__).parents[2] / "examples"

SAMPLERS = {
    "tpe": lambda: optuna.samplers.TPESampler(seed=0, n_startup_trials=2),
    "random": lambda: optuna.samplers.RandomSampler(seed=0),
    "keep-away": lambda: KeepAway(optuna.samplers.TPESampler(seed=0, n_startup_trials=2)),
}
PRUNERS = {
    "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=1),
    "halving": lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
    "none": lambda: optuna.pruners.NopPruner(),
}


def objective_of(tmp_path, space="finetune", **settings) -> Objective:
    return Objective(DATA, space, 3, **{"store": Store(tmp_path / "mlruns"), **SETTINGS, **settings})


@pytest.mark.parametrize(
    ("sampler", "pruner"), [("tpe", "median"), ("random", "halving"), ("keep-away", "none")]
)
def test_optunas_own_samplers_and_pruners_drive_it(sampler, pruner, tmp_path):
    study = optuna.create_study(
        direction="maximize", sampler=SAMPLERS[sampler](), pruner=PRUNERS[pruner](), study_name="by hand"
    )
    with objective_of(tmp_path) as objective:
        study.optimize(objective, n_trials=5)
    assert {trial.state for trial in study.trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    for trial in study.trials:
        objective.space.check(trial.params)
        if trial.state is TrialState.COMPLETE:
            assert trial.value == max(trial.intermediate_values.values())
            assert sorted(trial.intermediate_values) == [1, 2, 3]
        else:
            assert "stopped by" in trial.user_attrs["reason"]
    in_mlflow = mlflow_states(Store(tmp_path / "mlruns"), "by-hand")
    assert {number: state for number, (_, state) in in_mlflow.items()} == {
        t.number: t.state.name for t in study.trials
    }


def test_the_same_params_and_seed_give_the_same_score_as_a_study_would(tmp_path):
    recipe = load_space("finetune").narrow({"batch_size": [8, 48]}).baseline()
    values = []
    for _ in range(2):
        study = optuna.create_study(direction="maximize")
        study.enqueue_trial(recipe)
        with objective_of(tmp_path, store=False) as objective:
            study.optimize(objective, n_trials=1)
        values.append(study.trials[0].intermediate_values)
    assert values[0] == values[1]


HOT = SearchSpace(
    {
        "batch_size": Int(8, 16),
        "optimizer": Choice(("sgd",)),
        "strategy": Switch({"full": SearchSpace({"lr": Float(1e-3, 1e30, log=True, default=1e30)})}),
    }
)


def test_divergence_is_a_failed_trial_with_a_reason_and_the_study_goes_on(tmp_path):
    study = optuna.create_study(direction="maximize", study_name="hot")
    study.enqueue_trial({**HOT.baseline()})
    study.enqueue_trial({**HOT.baseline(), "strategy.full.lr": 1e-2})
    with objective_of(tmp_path, HOT, clipping="none", warmup_epochs=0.0) as objective:
        study.optimize(objective, n_trials=2)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.COMPLETE]
    assert "diverged" in study.trials[0].user_attrs["reason"]
    assert [one["name"] for one in study.trials[0].user_attrs["diagnosis"]][:1] == ["rate_too_high"]
    assert "diagnosis" not in study.trials[1].user_attrs
    assert mlflow_states(Store(tmp_path / "mlruns"), "hot")[0] == ("FAILED", "FAIL")


def test_a_recipe_that_ends_itself_is_complete_and_says_why(tmp_path):
    study = optuna.create_study(
        direction="maximize", study_name="patient", pruner=PRUNERS["halving"](),
        sampler=SAMPLERS["random"](),
    )  # fmt: skip
    patience = {"stopping.patience.epochs": 1, "stopping.patience.improvement": 1.0}
    with objective_of(tmp_path, stopping="patience", options=patience) as objective:
        study.optimize(objective, n_trials=2)
    reason = "ended by its own rule at epoch 2: no improvement by 1 in 1 epochs"
    ended = [trial for trial in study.trials if trial.state is TrialState.COMPLETE]
    assert ended
    for trial in ended:
        assert sorted(trial.intermediate_values) == [1, 2]
        assert trial.user_attrs["reason"] == reason
        assert trial.user_attrs["report"]["accuracy"] == pytest.approx(trial.value)
    store = Store(tmp_path / "mlruns")
    states = mlflow_states(store, "patient")
    assert all(states[trial.number] == ("FINISHED", "COMPLETE") for trial in ended)
    kept = [json.loads(file.read_text()) for file in store.artifacts.rglob("report.json")]
    assert len(kept) == len(ended)
    assert all(trial.user_attrs["report"] in kept for trial in ended)


def test_batches_are_narrowed_to_the_images_that_there_are(tmp_path):
    objective = objective_of(tmp_path, store=False)
    assert objective.space.leaves()["batch_size"] == Int(32, 48, log=True, default=48)


def run_example(name: str, monkeypatch, *arguments: object):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module.main(*arguments)


def test_the_examples_run(tmp_path, monkeypatch, glyph_weights):
    monkeypatch.chdir(tmp_path)
    study = run_example("optuna_study", monkeypatch, 3, 2)
    assert len(study.trials) == 3
    assert study.best_value > 0.5

    # The second example opens a study of `make search`; its ledger has the same form, made here without Ray.
    from search.ledger import Ledger, make_study
    from search.store.databases import open_storage, prepare

    prepare(Store.default())
    kept = make_study(open_storage(Store.default()), "digits", optuna.samplers.RandomSampler(seed=0))
    ledger = Ledger(kept, load_space("finetune"))
    for number in range(4):
        assignment = ledger.ask(lambda _: 0)
        from trainables.protocol import EpochRecord

        for epoch in range(1, 4):
            ledger.record(assignment.number, EpochRecord(epoch, 0.5 + 0.1 * epoch + 0.01 * number, {}))
        ledger.finish(assignment.number, TrialState.COMPLETE, "")
    plots = run_example("look_at_a_study", monkeypatch, "digits", "plots")
    assert [path.stem for path in plots] == ["history", "curves", "parallel", "slices"]
    assert all(path.stat().st_size > 10_000 for path in plots)

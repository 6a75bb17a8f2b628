"""Studies on folds: what a trial is worth, when it is stopped, and a whole study to its answer."""

from __future__ import annotations

import json
from statistics import fmean

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scipy.stats import wilcoxon

from search import Objective, Study
from search.decisions.folds import FoldScheduler, worse
from search.decisions.history import History
from search.decisions.scheduler import Decision, NoScheduler
from search.execution.asha import Asha
from search.overview import best_recipe
from search.reading import load_spec
from search.recipe import load_recipe
from search.score import FOLD_EPOCHS, trial_score
from search.spec import OWN_CORE
from search.store.databases import open_storage
from search.training import train_recipe
from spaces import Float, InputError, SearchSpace

scores = st.lists(st.floats(0, 1), min_size=1, max_size=20)


@given(scores)
def test_a_trial_without_folds_is_worth_its_best_epoch(values):
    assert trial_score(dict(enumerate(values, 1))) == max(values)


@given(scores, st.integers(1, 6))
def test_a_trial_with_folds_is_worth_the_mean_of_what_each_begun_one_reached(values, epochs):
    parts = [values[start : start + epochs] for start in range(0, len(values), epochs)]
    found = trial_score(dict(enumerate(values, 1)), epochs)
    assert found == pytest.approx(fmean(max(part) for part in parts))
    assert trial_score({}, epochs) == -float("inf")


@pytest.mark.parametrize(
    ("mine", "best", "stopped"),
    [
        ([0.5, 0.6, 0.5, 0.6], [0.6, 0.7, 0.8, 0.9], True),
        ([0.5, 0.6, 0.5], [0.6, 0.7, 0.8], False),  # three are never enough
        ([0.7, 0.7, 0.7, 0.7], [0.6, 0.6, 0.6, 0.6], False),
        ([0.5, 0.6, 0.5, 0.95], [0.6, 0.7, 0.8, 0.6], False),
        ([0.6, 0.6, 0.6, 0.6], [0.6, 0.6, 0.6, 0.6], False),
        ([0.59, 0.6, 0.6, 0.6], [0.6, 0.6, 0.6, 0.6], False),
    ],
)
def test_worse_is_what_a_signed_rank_test_says(mine, best, stopped):
    assert worse(mine, best) is stopped
    differences = [one - other for one, other in zip(mine, best, strict=True)]
    if any(differences):
        p = wilcoxon(differences, alternative="less", zero_method="zsplit").pvalue
        assert stopped is bool(p <= 0.1 and sum(differences) < 0)


HISTORY = History(SearchSpace({"x": Float(0, 1)}), 10)


def feed(scheduler, number, folds, epochs=2):
    """Records of a trial whose folds reach these scores; its decisions at the ends of the folds."""
    decisions, values = [], {}
    for fold, score in enumerate(folds):
        for epoch in range(1, epochs + 1):
            at = fold * epochs + epoch
            values[at] = score if epoch == epochs else score / 2
            decision = scheduler.on_record(HISTORY, number, at, trial_score(values, epochs))
        decisions.append(decision)
        if decision is Decision.STOP:
            break
    return decisions


def test_folds_are_held_against_the_best_trial_that_has_all_of_them():
    scheduler = FoldScheduler(NoScheduler(), 2, 5)
    go, stop = Decision.CONTINUE, Decision.STOP
    assert feed(scheduler, 0, [0.6, 0.7, 0.8, 0.9, 0.7]) == [go, go, go, go, stop]
    assert feed(scheduler, 1, [0.5, 0.6, 0.7, 0.8, 0.6]) == [go, go, go, stop]
    assert feed(scheduler, 2, [0.5, 0.6, 0.9, 0.95, 0.9]) == [go, go, go, go, stop]
    assert feed(scheduler, 3, [0.45, 0.55, 0.85, 0.9, 0.9]) == [go, go, go, stop]  # now against trial 2


def test_the_first_folds_end_is_no_end():
    scheduler = FoldScheduler(Asha(2, 1, 3.0), 2, 3)
    assert feed(scheduler, 0, [0.9, 0.9, 0.9])[:2] == [Decision.CONTINUE, Decision.CONTINUE]
    weak = [scheduler.on_record(HISTORY, number, 1, 0.1) for number in range(2, 9)]
    assert Decision.STOP in weak  # ASHA's rung at the first epoch


SETTINGS = {
    "data": "tests.search.parts:quadrants", "trials": 2, "finalists": 1, "finalist_seeds": 1, "scheduler": "none",
    "epochs": 2, "warmup_epochs": 0.5, "folds": 3, "searcher": "random",
}  # fmt: skip


@pytest.mark.timeout(300)
def test_a_study_on_folds_runs_to_its_answer_and_its_recipe_repeats_it(small_study, tmp_path):
    study = small_study(**SETTINGS, trainable=OWN_CORE)
    result = study.run()
    assert [(trial.state, trial.epochs) for trial in result.trials] == [("COMPLETE", 6)] * 2
    ledger = optuna.load_study(study_name="small", storage=open_storage(study.store))
    for trial, summary in zip(ledger.trials, result.trials, strict=True):
        assert trial.user_attrs[FOLD_EPOCHS] == 2
        folds = [max(trial.intermediate_values[e] for e in (1 + 2 * f, 2 + 2 * f)) for f in range(3)]
        assert trial.value == pytest.approx(fmean(folds))
        assert summary.score == pytest.approx(trial.value)
    # The test split is measured by the networks of all folds.
    assert result.answer is not None
    assert len(result.answer.winner.test) == 1
    assert 0 <= result.answer.winner.test[0] <= 1
    path = tmp_path / "recipe.yaml"
    path.write_text(best_recipe(study))
    assert load_recipe(path).folds == 3
    assert train_recipe(path, None, None, Console(quiet=True)) == pytest.approx(result.best.score)
    with pytest.raises(InputError, match="folds=3, but now folds=4"):
        small_study(**{**SETTINGS, "folds": 4}, trainable=OWN_CORE).run()


def test_an_objective_gives_the_mean_over_folds():
    objective = Objective(
        "tests.search.parts:quadrants", "scratch", 2, model="test_resnet", folds=2, store=False, pretrained=False,
        precision="fp32", warmup_epochs=0.5, repeats=1,
    )  # fmt: skip
    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.NopPruner())
    study.optimize(objective, n_trials=1)
    trial = study.trials[0]
    assert sorted(trial.intermediate_values) == [1, 2, 3, 4]
    assert trial.value == pytest.approx(trial_score(trial.intermediate_values, 2))


def test_folds_and_holdouts_are_one_or_the_other():
    with pytest.raises(
        InputError, match="one of `folds` and `holdouts` must be 1, but got folds=2, holdouts=3"
    ):
        load_spec("digits", {"folds": 2, "holdouts": 3})
    with pytest.raises(InputError, match="one of folds and holdouts"):
        Objective("digits", folds=2, holdouts=2, store=False)
    spec = load_spec("digits", {"holdouts": 4, "epochs": 3})
    assert (spec.trainings, spec.budget) == (4, 12)
    assert json.loads(spec.model_dump_json())["holdouts"] == 4
    assert isinstance(Study.load("digits", folds=5), Study)

"""The project's search in a study of Optuna's own."""

from __future__ import annotations

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from search import ForecastSampler, optuna_suggest
from search.policies import make_parts
from search.simulation import simulate
from spaces import Choice, Float, InputError, Int, SearchSpace, Switch

EPOCHS = 27
SPACE = SearchSpace({
    "lr": Float(1e-5, 1e-1, log=True), "width": Int(8, 128, log=True), "drop": Float(0, 0.5, step=0.1),
    "how": Switch({"full": SearchSpace({"ratio": Float(0.5, 1)}), "head": SearchSpace({})}),
    "name": Choice(("a", "b")),
})  # fmt: skip


def curve(params):
    away = abs(np.log10(params["lr"]) + 2.5) + abs(params["drop"] - 0.2) + 0.3 * (params["how"] == "head")
    return np.exp(-0.6 * away) * (1 - 0.85 ** np.arange(1, EPOCHS + 1))


def objective(trial, sign=1.0, first=1):
    params = SPACE.draw(optuna_suggest(trial))
    scores = sign * curve(params)
    for epoch, score in enumerate(scores, start=first):
        trial.report(float(score), epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return float(scores.max() if sign > 0 else scores.min())


def search(trials=60, seed=0, direction="maximize", **kind):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = ForecastSampler(SPACE, EPOCHS, seed)
    study = optuna.create_study(direction=direction, sampler=sampler, pruner=sampler.pruner())
    study.optimize(lambda trial: objective(trial, **kind), n_trials=trials)
    return study


def epochs_of(study):
    return sum(len(trial.intermediate_values) for trial in study.trials)


@pytest.mark.slow
def test_it_finds_more_than_tpe_with_hyperband_in_as_many_epochs():
    """On average: with some seeds TPE is a thousandth ahead, with others it misses a tenth.

    Twelve seeds are too few to say by how much: three sets of them differed by 0.003, 0.006 and 0.015.
    """
    ours, theirs = [], []
    for seed in range(36):
        study = search(seed=seed)
        ours.append(study.best_value)
        other = optuna.create_study(
            study_name=f"hyperband-{seed}",  # its pruner draws brackets by the name
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=optuna.pruners.HyperbandPruner(),
        )
        while epochs_of(other) < epochs_of(study):
            other.optimize(objective, n_trials=1)
        theirs.append(other.best_value)
    assert np.mean(ours) > np.mean(theirs)
    assert max(ours) > 0.9 * curve({"lr": 10**-2.5, "drop": 0.2, "how": "full"}).max()


def test_weak_trials_are_pruned_and_the_first_is_the_baseline():
    study = search(40)
    assert study.trials[0].params == SPACE.baseline()
    pruned = [trial for trial in study.trials if trial.state is TrialState.PRUNED]
    complete = [trial for trial in study.trials if trial.state is TrialState.COMPLETE]
    assert len(pruned) > len(complete) >= 3
    assert epochs_of(study) < 0.6 * 40 * EPOCHS


def test_its_proposals_are_those_of_the_simulator_for_the_same_events():
    """One trial at a time, none stopped: the searcher is the same, so the recipes are."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = ForecastSampler(SPACE, EPOCHS, seed=3, optimism=4.0, ranked=0.5)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=optuna.pruners.NopPruner())
    study.optimize(objective, n_trials=15)
    searcher, _ = make_parts("default", "none", EPOCHS, seed=3)
    found = simulate(
        SPACE, lambda params: (curve(params), np.ones(EPOCHS)), EPOCHS, workers=1, trials=15, searcher=searcher,
        scheduler="none",
    )  # fmt: skip
    assert [run.params for run in found.runs] == [trial.params for trial in study.trials]


def test_a_study_that_minimises_or_counts_from_zero_is_the_same_search():
    plain = search(25)
    for other in (search(25, direction="minimize", sign=-1.0), search(25, first=0)):
        assert [trial.params for trial in other.trials] == [trial.params for trial in plain.trials]


def test_values_without_reports_are_learnt_from_too():
    sampler = ForecastSampler(SPACE, EPOCHS)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(lambda trial: float(curve(SPACE.draw(optuna_suggest(trial))).max()), n_trials=40)
    late = np.mean([trial.value for trial in study.trials[25:]])
    assert late > np.mean([trial.value for trial in study.trials[1:9]]) + 0.05


def test_parameters_of_ones_own_and_broken_trials_are_no_hindrance():
    def odd(trial):
        trial.suggest_float("mine", 0, 1)
        if trial.number == 3:
            raise RuntimeError("broken")
        return objective(trial)

    study = optuna.create_study(direction="maximize", sampler=ForecastSampler(SPACE, EPOCHS))
    study.optimize(odd, n_trials=12, catch=RuntimeError)
    assert [trial.state for trial in study.trials].count(TrialState.FAIL) == 1
    assert all("mine" in trial.params for trial in study.trials)


def test_one_sampler_serves_one_study_of_one_objective():
    sampler = ForecastSampler(SPACE, EPOCHS)
    optuna.create_study(direction="maximize", sampler=sampler).optimize(objective, n_trials=1)
    with pytest.raises(InputError, match="a sampler serves one study"):
        optuna.create_study(study_name="other", sampler=sampler).optimize(objective, n_trials=1)
    with pytest.raises(InputError, match="one objective"):
        optuna.create_study(directions=["maximize"] * 2, sampler=ForecastSampler(SPACE, EPOCHS)).optimize(
            lambda trial: (objective(trial), 0.0), n_trials=1
        )
    with pytest.raises(InputError, match="at least 1"):
        ForecastSampler(SPACE, 0)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_trial_that_reports_what_is_not_finite_is_pruned_and_teaches_nothing_wrong(broken):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = ForecastSampler(SPACE, EPOCHS, 0)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=sampler.pruner())

    def breaking(trial):
        params = SPACE.draw(optuna_suggest(trial))
        if params["lr"] > 1e-2:
            trial.report(0.1, 1)
            trial.report(broken, 2)
            assert trial.should_prune()
            raise optuna.TrialPruned
        return objective_of(trial, params)

    def objective_of(trial, params):
        for epoch, score in enumerate(curve(params), start=1):
            trial.report(float(score), epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(curve(params).max())

    study.optimize(breaking, n_trials=50)
    lost = [trial.number for trial in study.trials if trial.params["lr"] > 1e-2]
    assert lost
    assert sum(number >= 25 for number in lost) < 12  # chance: 6; the best recipes lie at 0.003
    assert study.best_value > 0.7


def test_it_goes_into_a_study_with_many_trials_of_another_making():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: trial.suggest_float("other", 0, 1), n_trials=150)
    sampler = ForecastSampler(SPACE, EPOCHS, 0)
    study.sampler, study.pruner = sampler, sampler.pruner()
    study.optimize(objective, n_trials=15)
    assert [trial.state.is_finished() for trial in study.trials[150:]] == [True] * 15


def test_trials_may_run_in_threads():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = ForecastSampler(SPACE, EPOCHS, 0)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=sampler.pruner())
    study.optimize(objective, n_trials=40, n_jobs=4)
    assert len(study.trials) == 40
    assert {trial.state for trial in study.trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert sampler._mirror._history.events
    recorded = sum(len(run.scores) for run in sampler._mirror._history)
    assert recorded == len(sampler._mirror._history.events) <= epochs_of(study)


def test_a_sampler_can_be_pickled_and_goes_on():
    import pickle

    study = search(trials=12)
    again = pickle.loads(pickle.dumps(study.sampler))  # noqa: S301
    assert again.sample_relative(study, study.ask(), {}) == study.sampler.sample_relative(
        study, study.trials[-1], {}
    )


def test_a_study_is_the_same_when_its_storage_is_opened_anew(tmp_path):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = ForecastSampler(SPACE, EPOCHS, 0)
    url = f"sqlite:///{tmp_path}/study.db"
    for _ in range(2):
        study = optuna.create_study(
            storage=url, study_name="one", direction="maximize", load_if_exists=True, sampler=sampler
        )
        study.enqueue_trial({"lr": 0.003, "width": 16, "drop": 0.2, "how": "head", "name": "a"})
        study.optimize(objective, n_trials=3)
    assert len(study.trials) == 6
    other = optuna.create_study(study_name="one", direction="maximize", sampler=sampler)
    with pytest.raises(InputError, match="one study"):
        other.ask(sampler.infer_relative_search_space(other, None))


def test_a_space_without_parameters_gives_its_one_recipe():
    found = simulate(SearchSpace({}), lambda params: (np.linspace(0, 1, 9), np.ones(9)), 9, trials=12)
    assert len(found.runs) == 12

"""A sampler that is shown divergence keeps away from it; one that is not comes back again and again."""

from __future__ import annotations

import optuna
import pytest
from optuna.trial import TrialState

from search.decisions.history import History, Status
from search.ledger import Ledger
from search.searchers.keep_away import KeepAway
from search.searchers.registry import SEARCHERS, make_searcher
from spaces import Float, Int, SearchSpace, Switch
from trainables.protocol import EpochRecord

SPACE = SearchSpace(
    {
        "width": Int(1, 8),
        "strategy": Switch(
            {
                "full": SearchSpace({"lr": Float(1e-5, 1.0, log=True)}),
                "probe": SearchSpace({"lr": Float(1e-3, 1e-2, log=True)}),
            }
        ),
    }
)


def diverges(params) -> bool:
    return params.get("strategy.full.lr", 0) > 1e-2


def run(sampler, trials: int) -> list[bool]:
    """Which trials diverged, in a study whose score rises with the rate up to the brink."""
    study = optuna.create_study(direction="maximize", sampler=sampler)
    ledger = Ledger(study, SPACE)
    bad = []
    for _ in range(trials):
        one = ledger.ask(lambda number: number)
        bad.append(diverges(one.params))
        score = one.params.get("strategy.full.lr", 1e-4) ** 0.25
        ledger.record(one.number, EpochRecord(1, min(score, 1.0), {}))
        if bad[-1]:
            ledger.fail(one.number, "diverged", diverged=True)
        else:
            ledger.finish(one.number, TrialState.COMPLETE, "")
    return bad


def test_it_keeps_away_where_plain_tpe_comes_back():
    def late_share(wrap):
        counts = []
        for seed in range(4):
            sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=10)
            counts.append(sum(run(wrap(sampler), 60)[20:]))
        return sum(counts) / (4 * 40)

    plain, wrapped = late_share(lambda sampler: sampler), late_share(KeepAway)
    assert wrapped < plain / 2, (plain, wrapped)


def test_the_ledger_says_fail_whatever_the_sampler_is_shown():
    study = optuna.create_study(direction="maximize", sampler=KeepAway(optuna.samplers.TPESampler(seed=0)))
    ledger = Ledger(study, SPACE)
    one = ledger.ask(lambda number: number)
    ledger.fail(one.number, "diverged: loss was nan at epoch 1, step 1", diverged=True)
    assert study.trials[0].state is TrialState.FAIL
    assert study.trials[0].user_attrs["reason"].startswith("diverged")
    assert study.trials[0].constraints == {}


@pytest.mark.parametrize("name", SEARCHERS)
def test_every_searcher_repeats_itself_by_its_seed(name):
    def proposals(seed):
        searcher, history = make_searcher(name, seed), History(SPACE, 1)
        found = []
        for number in range(12):
            params = searcher.propose(history, number)
            SPACE.check(params)
            found.append(params)
            history.begin(number, params)
            history.record(number, 1, number / 20)
            history[number].status = Status.COMPLETE
        return found

    assert proposals(1) == proposals(1)
    assert proposals(1) != proposals(2)


def test_a_searcher_keeps_away_from_where_runs_diverged():
    def late_share(searcher):
        history, late = History(SPACE, 1), 0
        for number in range(40):
            params = searcher.propose(history, number)
            run = history.begin(number, params)
            diverged = diverges(params)
            run.status, run.diverged = (Status.FAILED if diverged else Status.COMPLETE), diverged
            if not diverged:
                history.record(number, 1, 0.5)
            late += diverged and number >= 20
        return late

    seeds = range(4)
    assert sum(late_share(make_searcher("tpe", seed)) for seed in seeds) < sum(
        late_share(make_searcher("random", seed)) for seed in seeds
    )

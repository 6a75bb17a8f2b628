"""What a study may spend, as its driver works it out at each start."""

from __future__ import annotations

import optuna
import pytest
from optuna.trial import TrialState

from search import register
from search.agenda import Agenda
from search.checkpoints import CONFIRM, PERTURB, SEARCH
from search.decisions.budget import Budget
from search.decisions.kept import NOTHING
from search.execution.resources import Resources
from search.ledger import Ledger, make_study
from search.spec import StudySpec
from search.store.layout import Store
from spaces import InputError
from tests.search.phases import EPOCHS, SPACE
from trainables.protocol import EpochRecord

WORKERS = Resources(4, 1, 0.0)


def agenda_of(tmp_path, ledgers=None, workers=4, **settings) -> Agenda:
    spec = StudySpec(name="made", epochs=EPOCHS, **settings)
    return Agenda(spec, Store(tmp_path), ledgers or made(), workers=workers)


def made() -> dict[str, Ledger]:
    storage = optuna.storages.InMemoryStorage()
    return {
        phase: Ledger(make_study(storage, phase, optuna.samplers.RandomSampler(seed=0)), SPACE)
        for phase in (SEARCH, CONFIRM, PERTURB)
    }


def test_it_keeps_of_epochs_and_time_what_the_confirmation_may_take(tmp_path):
    budget = agenda_of(tmp_path, budget_epochs=900, time=60.0).budget(WORKERS)
    assert (budget.trials, budget.epochs, budget.seconds, budget.workers) == (None, 900, 60.0, 4)
    assert budget.kept.epochs(EPOCHS) == 15 * EPOCHS
    assert list(budget.kept.rounds) == [2, 1]
    wide = agenda_of(tmp_path, workers=12, time=60.0).budget(Resources(12, 1, 0.0))
    assert list(wide.kept.rounds) == [3]  # nobody idles
    assert wide.kept.trainings == 15
    several = agenda_of(tmp_path, budget_epochs=900, finalists=2, finalist_seeds=5, folds=4).budget(WORKERS)
    assert several.kept.epochs(4 * EPOCHS) == (2 * 3 + 2 * 5) * 4 * EPOCHS


def test_without_a_confirmation_it_keeps_nothing(tmp_path):
    assert agenda_of(tmp_path, budget_epochs=900, finalists=0).budget(WORKERS).kept == NOTHING


def test_gpu_hours_become_seconds_of_the_cards_that_there_are(tmp_path):
    cards = Resources(4, 1, 0.5)
    assert agenda_of(tmp_path, gpu_hours=3.0).budget(cards).seconds == 3600 * 3 / 2
    assert agenda_of(tmp_path, gpu_hours=3.0, time=60.0).budget(cards).seconds == 60.0
    with pytest.raises(InputError, match="`gpu_hours` needs a GPU"):
        agenda_of(tmp_path, gpu_hours=3.0).budget(WORKERS)


def test_after_a_restart_what_the_baseline_has_trained_takes_no_more_time_but_is_still_of_the_epochs(
    tmp_path,
):
    ledgers = made()
    first = agenda_of(tmp_path, ledgers, budget_epochs=900)
    first.confirmation.enter_baseline()
    confirm = ledgers[CONFIRM]
    for epochs in (EPOCHS, 3):
        number = confirm.ask(lambda number: number).number
        for epoch in range(1, epochs + 1):
            confirm.record(number, EpochRecord(epoch, 0.5, {}))
        if epochs == EPOCHS:
            confirm.finish(number, TrialState.COMPLETE, "")
    kept = agenda_of(tmp_path, ledgers, budget_epochs=900).budget(WORKERS).kept
    assert kept.epochs(EPOCHS) == pytest.approx(15 * EPOCHS)
    assert kept.trainings == pytest.approx(14 - 3 / EPOCHS)


def test_a_search_that_was_over_stays_over_whatever_is_kept_now(tmp_path):
    """As one of before the confirmation was counted, or one that is confirmed with more seeds."""
    ledgers = made()
    settings = {"budget_epochs": 900, "finalists": 0}
    agenda = agenda_of(tmp_path, ledgers, **settings)
    register.write_searched(ledgers[SEARCH], StudySpec(name="made", epochs=EPOCHS, **settings))
    assert agenda.budget(WORKERS) == Budget(trials=0)
    more = agenda_of(tmp_path, ledgers, **{**settings, "finalists": 3, "finalist_seeds": 8})
    assert more.budget(WORKERS) == Budget(trials=0)
    longer = agenda_of(tmp_path, ledgers, budget_epochs=1800)
    assert longer.budget(WORKERS).epochs == 1800

"""Real studies that are limited: search and confirmation together end within the limit, as far as that can be."""

from __future__ import annotations

import optuna
import pytest

from search.elapsed import elapsed
from search.register import confirm_name
from search.store.databases import open_storage
from search.view.silent import Silent
from trainables.protocol import EpochRecord

EPOCHS = 3
FEW = {"finalists": 2, "finalist_seeds": 1, "epochs": EPOCHS, "grace": 1, "workers": 2, "preflight": False}
"""A confirmation of four trainings: a race of two with a seed, the winner and the baseline. What preflight would say of
so small a study comes before what is looked for here."""


class Noting(Silent):
    """Keeps what a user is told, and how many epochs were trained before."""

    def __init__(self) -> None:
        self.notes: list[tuple[int, str]] = []
        self._records = 0

    def on_record(self, phase: str, number: int, record: EpochRecord) -> None:
        self._records += 1

    def on_note(self, text: str) -> None:
        self.notes.append((self._records, text))


def trained(study) -> tuple[int, int, float]:
    """Epochs of the search and of the confirmation, and the seconds of both together."""
    storage = open_storage(study.store)
    search, confirm = (
        optuna.load_study(study_name=name, storage=storage).trials
        for name in (study.spec.name, confirm_name(study.spec.name))
    )
    epochs = [sum(len(trial.intermediate_values) for trial in trials) for trials in (search, confirm)]
    return epochs[0], epochs[1], max(elapsed([*search, *confirm]).values())


@pytest.mark.timeout(300)
def test_epochs_limit_search_and_confirmation_together(small_study):
    study, noting = small_study("counted", budget_epochs=36, **FEW), Noting()
    result = study.run(noting)
    search, confirm, _ = trained(study)
    assert result.answer is not None
    assert confirm <= 4 * EPOCHS
    # What runs at the end is not cut off before its next rung: an epoch for each of the two workers, at most.
    assert 36 - 4 * EPOCHS - 2 * EPOCHS <= search <= 36 - 4 * EPOCHS + 2
    told = dict(reversed(noting.notes))  # the first of each
    assert told[0] == "12 of the 36 epochs are kept for the confirmation"
    assert any("the 36 epochs of its budget are needed" in text for _, text in noting.notes)
    assert any(text.endswith("about 12 of them for the confirmation") for _, text in noting.notes)

    study.confirm(seeds=2)  # which does not begin the search again
    assert trained(study)[0] == search
    assert trained(study)[1] > confirm


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_time_limits_search_and_confirmation_together(small_study):
    """Two minutes, by the records: on a busy machine processes have started when the first one is over."""
    study, noting = small_study("timed", time=120.0, **FEW), Noting()
    result = study.run(noting)
    search, confirm, seconds = trained(study)
    assert result.answer is not None
    assert search > 0 < confirm
    assert seconds <= 120 * 1.05
    assert any("the 120 seconds of its budget are needed" in text for _, text in noting.notes)


@pytest.mark.timeout(300)
def test_a_limit_that_is_too_small_is_said_before_and_the_answer_comes_all_the_same(small_study):
    study, noting = small_study("short", budget_epochs=14, **FEW), Noting()
    result = study.run(noting)
    search, confirm, _ = trained(study)
    assert noting.notes[0] == (
        0,
        "the confirmation may take longer than the limit leaves: about 12 epochs, but of 14 the search has 7",
    )
    assert search <= 7 + 2 * EPOCHS
    assert (confirm, result.answer.left) in {
        (EPOCHS, 0),
        (4 * EPOCHS, 0),
    }  # of a single finalist that is the baseline

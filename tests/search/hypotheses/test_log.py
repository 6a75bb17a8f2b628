"""Hypotheses judged by trials whose truth is known, and the log of them over all studies."""

from __future__ import annotations

import io

import pytest
from optuna.trial import TrialState
from rich.console import Console

from search import register
from search.decisions.history import History
from search.hypotheses.judge import Outcome, judge
from search.hypotheses.log import conclude, entries, on_same_data, outcome_of, write_outcome
from search.reading import load_spec
from search.store.databases import prepare
from search.store.layout import Store
from search.view.log import print_log
from spaces import InputError
from tests.search.insight.planted import EPOCHS, SPACE, planted
from tests.search.view.parts import flat
from trainables.protocol import EpochRecord


@pytest.fixture(scope="module")
def history():
    return planted(0, trials=60, scheduler="none")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("a stronger augment helps below 50 images a class", "supported"),
        ("augment < 0.4", "contradicted"),
        ("a higher learning rate wins", "supported"),
        ("strategy = head", "contradicted"),
        ("more dropout helps", "too close to tell"),
        ("weight_decay > 1e-4", "too close to tell"),
        ("bigger networks help", "not judged"),
        ("augment > 1", "not judged"),
    ],
)
def test_planted_truths_are_supported_and_their_contraries_contradicted(history, text, verdict):
    outcome = judge(text, history)
    assert outcome.verdict == verdict, outcome.evidence
    assert outcome.text == text
    if verdict in {"supported", "contradicted"}:
        assert "over 60 trials" in outcome.evidence
        assert ("by +" in outcome.evidence) == (verdict == "supported")


def test_of_too_few_trials_nothing_is_judged():
    assert judge("dropout helps", History(SPACE, EPOCHS)) == Outcome(
        "dropout helps", "not judged", "There are too few trials."
    )


def studied(store, name, hypothesis, fingerprint="same"):
    spec = load_spec("digits", {"name": name, "hypothesis": hypothesis})
    ledger = register.open_ledger(store, spec, spec.search_space(), name)
    register.enter(ledger, spec)
    register.hold_data(ledger, spec, fingerprint)
    return ledger, spec


def test_the_log_over_all_studies(tmp_path):
    store = Store(tmp_path / "mlruns")
    prepare(store)
    first, spec = studied(store, "first", "dropout helps")
    studied(store, "second", "augmentation hurts")
    studied(store, "third", "")
    studied(store, "other", "lr < 1e-3", fingerprint="another")
    assert [entry.study for entry in entries(store)] == ["first", "second", "other"]
    assert [entry.outcome for entry in entries(store)] == [None, None, None]
    assert [entry.study for entry in on_same_data(store, "third")] == ["first", "second"]
    assert [(entry.study, entry.hypothesis) for entry in on_same_data(store, "second")] == [
        ("first", "dropout helps"), ("third", ""),
    ]  # fmt: skip
    assert on_same_data(store, "other") == []
    trial = first.ask(lambda number: 1)
    first.record(trial.number, EpochRecord(1, 0.75, {}))
    first.finish(trial.number, TrialState.COMPLETE, "")
    assert [entry.best for entry in on_same_data(store, "second")] == [0.75, None]

    outcome = conclude(first, spec)
    assert (outcome.verdict, outcome.evidence) == ("not judged", "There are too few trials.")
    assert outcome_of(first.study) == outcome
    written = write_outcome(store, "first", " It did, on the small classes. ")
    assert written.outcome.evidence == "It did, on the small classes."
    assert conclude(first, spec).evidence == "It did, on the small classes."  # what somebody wrote stays
    register.enter(first, spec.model_copy(update={"hypothesis": "dropout hurts"}))
    assert entries(store)[0].outcome is None  # that was of another hypothesis

    with pytest.raises(InputError, match="'third' has none"):
        write_outcome(store, "third", "yes")
    with pytest.raises(InputError, match="must be a sentence"):
        write_outcome(store, "first", " ")
    with pytest.raises(InputError, match="there is no study 'fourth'"):
        write_outcome(store, "fourth", "yes")

    console = Console(file=io.StringIO(), width=80, highlight=False)
    write_outcome(store, "second", "No.\x1b[31m")
    print_log(entries(store), console)
    text = console.file.getvalue()
    assert "\x1b" not in text
    assert "second on digits augmentation hurts by hand" in flat(text)
    assert "open: the study is not over" in text

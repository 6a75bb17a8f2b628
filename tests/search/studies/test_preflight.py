"""Before a study: what it is told, what it will take, and what stops it."""

from __future__ import annotations

import json

import pytest

from search.execution.resources import Resources, available_cores
from search.ledger import records_of
from search.preflight.before import center_rates
from search.preflight.outlook import judged, outlook, searched
from search.preflight.page import page
from search.preflight.preflight import around, missed
from search.register import find_study, study_names
from search.store.layout import Store
from search.study import Study
from search.view.silent import Silent
from spaces import Float, InputError, SearchSpace, Switch
from trainables.preflight.cost import Cost
from trainables.preflight.result import Result, Verdict, passed

SMALL = {
    "trials": 2,
    "epochs": 4,
    "finalists": 0,
    "workers": 1,
    "cpus_per_trial": 1,
    "precision": "fp32",
    "device": "cpu",
}


class Notes(Silent):
    """What somebody who watches is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def on_note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


def cost(step: float = 0.1, *, memory: float = 500.0, checkpoint: int = 10**6) -> Cost:
    return Cost(step=step, steps=10, validation=0.0, memory=memory, checkpoint=checkpoint, micro=32)


def told(spec, cost_: Cost, workers: int = 2):
    return outlook(spec, spec.search_space(), 1, cost_, Resources(workers, 1, 0.0))


# -- what a study will take -----------------------------------------------------------------------------


def test_without_a_scheduler_every_trial_has_its_whole_budget(store):
    spec = Study.load("digits", store=store, scheduler="none", trials=7, epochs=5).spec
    assert searched(spec, spec.search_space(), 1, 2) == (7, 35.0)


def test_a_scheduler_trains_less_than_everything_and_more_than_one_epoch_each(store):
    spec = Study.load("digits", store=store, trials=40).spec
    trials, epochs = searched(spec, spec.search_space(), 3, 2)
    assert trials == 40
    assert 40 < epochs < 0.5 * 40 * 27


def test_time_is_epochs_times_their_seconds_over_the_workers(store):
    spec = Study.load("digits", store=store, scheduler="none", trials=4, epochs=6, finalists=0).spec
    found = told(spec, cost())
    assert found.seconds == pytest.approx(4 * 6 * 1.0 / 2)
    assert found.trials_an_hour == pytest.approx(3600 * 2 / 6)
    twice = told(spec, cost(step=0.2))
    assert twice.seconds == pytest.approx(2 * found.seconds)


def test_a_confirmation_counts(store):
    with_, without = (
        told(Study.load("digits", store=store, finalists=count, scheduler="none", trials=4).spec, cost())
        for count in (3, 0)
    )
    assert with_.confirmation == (3 * 3 + 2 * 3) * 27
    assert with_.seconds > without.seconds


def test_a_budget_of_time_that_is_too_small_is_told_before_it_starts(store):
    spec = Study.load("digits", store=store, time=60).spec
    found = {one.check: one for one in judged(spec, told(spec, cost()), store.root)}
    assert (found["time"].verdict, found["time"].fault) == (Verdict.WARNING, "budget_too_small")
    assert "leaves the search 60 epochs, which is 2.2 whole trainings" in found["time"].says
    enough = Study.load("digits", store=store, time=36000).spec
    assert {one.check: one.verdict for one in judged(enough, told(enough, cost()), store.root)}[
        "time"
    ] is Verdict.PASSED


def test_a_budget_that_ends_before_the_trials_have_begun_is_told(store):
    spec = Study.load("digits", store=store, trials=1000, time=1000).spec
    found = {one.check: one for one in judged(spec, told(spec, cost()), store.root)}
    assert found["time"].fault == "budget_ends_first"


def test_memory_and_disk_that_do_not_suffice_are_told(store):
    spec = Study.load("digits", store=store).spec
    large = told(spec, cost(memory=1e9, checkpoint=10**15))
    assert {one.fault for one in judged(spec, large, store.root)} == {
        "",
        "memory_too_small",
        "disk_too_small",
    }


# -- ranges of learning rates ----------------------------------------------------------------------------

SPACE = SearchSpace(
    {
        "strategy": Switch(
            {
                "full": SearchSpace({"lr": Float(1e-4, 1e-2, log=True)}),
                "feature_extraction": SearchSpace({"lr": Float(1e-3, 1e-2, log=True)}),
            }
        )
    }
)


def ramped(suggested: float, fell: bool = True) -> Result:
    return passed("learning_rate", "", suggested=suggested, fell=fell)


@pytest.mark.parametrize(
    ("suggested", "expected"), [(1e-3, 0), (0.029, 0), (0.031, 1), (3.4e-5, 0), (3.2e-5, 1)]
)
def test_a_range_misses_what_lies_more_than_a_factor_of_three_outside(suggested, expected):
    found = missed(SPACE, {"full": ramped(suggested)})
    assert len(found) == expected
    if found:
        low, high = around(suggested)
        assert f"--set strategy.full.lr=[{low:.1g},{high:.1g}]" in found[0].remedy


def test_nothing_is_said_of_a_ramp_that_did_not_fall():
    assert missed(SPACE, {"full": ramped(10.0, fell=False)}) == []


# -- a study ------------------------------------------------------------------------------------------


def test_it_looks_at_a_study_and_leaves_nothing(store, glyph_weights):
    del glyph_weights
    study = Study.load("digits", store=store, **{**SMALL, "trials": 40, "epochs": 27, "finalists": 3})
    seen = study.preflight()
    assert [one.says for one in (*seen.blockers, *seen.warnings)] == []
    assert {one.check for one in seen.results} >= {"overfit", "learning_rate", "time", "memory", "disk"}
    assert set(seen.rates) == {"full", "feature_extraction", "layer_decay", "gradual_unfreezing"}
    assert len(seen.pictures) == 24
    assert not store.root.exists()
    text = page(seen)
    assert text.count("<img") == 24
    assert text.count('role="img"') == 4
    assert "script" not in text
    assert json.loads(json.dumps(seen.to_dict()))["outlook"]["epoch"] > 0


def test_a_study_that_cannot_work_is_refused_and_leaves_nothing(store, glyph_weights):
    del glyph_weights
    spoilt = {
        "model": "tests.trainables.preflight.planted:overflows",
        "precision": "fp16",
        "pretrained": False,
    }
    study = Study.load("digits", store=store, **{**SMALL, **spoilt, "strategy": "full"})
    with pytest.raises(
        InputError, match="preflight: the network's outputs are finite in fp32, but not in the study's"
    ):
        study.run()
    assert study_names(store) == []


def test_what_is_turned_off_is_not_looked_at_and_what_has_begun_is_not_looked_at_again(
    store, glyph_weights, monkeypatch
):
    del glyph_weights
    looked = []
    monkeypatch.setattr(
        "search.preflight.before.examine", lambda *given, **named: looked.append(named) or 1 / 0
    )
    study = Study.load("digits", store=store, **{**SMALL, "preflight": False})
    study.run()
    assert looked == []
    Study.load("digits", store=store, **{**SMALL, "trials": 3}).run()
    assert looked == []


def test_warnings_are_told_and_kept_in_mlflow(store, glyph_weights):
    del glyph_weights
    notes = Notes()
    study = Study.load("digits", store=store, **{**SMALL, "mean": [0.0], "std": [1.0]})
    result = study.run(notes)
    assert any(note.startswith("inputs have mean") and "never below 0" in note for note in notes.notes)
    from mlflow import MlflowClient

    client = MlflowClient(store.mlflow_uri)
    (run,) = client.search_runs(
        [one.experiment_id for one in client.search_experiments()], "tags.mlflow.runName = 'digits'"
    )
    names = {one.path for one in client.list_artifacts(run.info.run_id)}
    assert {"preflight.html", "preflight.json"} <= names
    assert len(result.trials) == 2


class Workers(Notes):
    """And how many train at a time."""

    def on_study(self, spec, trials, workers: int) -> None:
        self.workers = workers


@pytest.mark.skipif(available_cores() < 2, reason="needs two cores")
def test_no_more_train_at_a_time_than_memory_has_room_for_when_it_goes_on_too(
    store, glyph_weights, monkeypatch
):
    del glyph_weights
    monkeypatch.setattr("search.execution.cores.free_memory", lambda: 1e6)
    first, again = Workers(), Workers()
    for trials, told in ((1, first), (2, again)):
        Study.load("digits", store=store, **{**SMALL, "workers": None, "trials": trials}).run(told)
    said = f"memory has room for 1 trial at a time, where there are cores for {available_cores()}: one takes "
    assert [note.startswith(said) for note in first.notes].count(True) == 1
    assert not any(note.startswith(said) for note in again.notes)
    assert (first.workers, again.workers) == (1, 1)


def test_centred_ranges_are_those_of_the_ramps_and_stay_when_the_study_goes_on(store, glyph_weights):
    del glyph_weights
    notes = Notes()
    study = Study.load("digits", store=store, **SMALL, strategy="full")
    spec = center_rates(study, notes)
    change = spec.narrow["strategy.full.lr"]
    assert change["high"] / change["low"] == pytest.approx(100, rel=0.1)
    assert 8e-4 < change["default"] < 1e-2
    assert any("strategy.full.lr in [" in note for note in notes.notes)
    centred = Study(spec, store)
    centred.run()
    assert center_rates(study, Silent()).narrow == spec.narrow
    first = find_study(store, "digits").get_trials()[0]
    assert first.params["strategy.full.lr"] == pytest.approx(change["default"])
    assert records_of(first)

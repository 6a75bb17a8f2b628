"""Verdicts: on studies with a planted fault that one is named and no other, on healthy ones nothing."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import lru_cache

import pytest

from search.answer.answer import Answer, Confirmed
from search.answer.changes import Change, Changes
from search.decisions.history import History, Status
from search.insight.insight import Insight, insight_of
from search.insight.rungs import Agreement, Stopped
from search.verdicts.all import VERDICTS, verdicts_on
from search.verdicts.edge import _longer as longer
from search.verdicts.gathering import where_it_fails
from search.verdicts.verdict import Case
from spaces import Choice, Float, Int, SearchSpace
from tests.search.insight.planted import planted, truth
from trainables.protocol import EpochRecord

EPOCHS = 20


def records(scores, val=lambda epoch: 1.0 / epoch, train=lambda epoch: 1.0 / epoch) -> list[EpochRecord]:
    return [
        EpochRecord(epoch, score, {"val/loss": val(epoch), "train/loss": train(epoch)})
        for epoch, score in enumerate(scores, start=1)
    ]


def settled(seed: int) -> list[EpochRecord]:
    """A curve that is flat long before its end."""
    rng = random.Random(seed)
    return records([0.9 * (1 - 0.5**epoch) + rng.gauss(0, 0.002) for epoch in range(1, EPOCHS + 1)])


def answer_of(luck: float, seed: int) -> Answer:
    rng = random.Random(seed)

    def confirmed(label: str, worth: float) -> Confirmed:
        race, val = ([worth + rng.gauss(0, luck) for _ in range(3)] for _ in range(2))
        return Confirmed(label, 0, {}, race=race, val=val)

    winner, other, baseline = (
        confirmed("trial 3", 0.9),
        confirmed("trial 5", 0.89),
        confirmed("baseline", 0.8),
    )
    return Answer(winner, baseline, [winner, other], 0.0)


@lru_cache(maxsize=32)
def search(seed: int, score=truth) -> tuple[History, Insight]:
    history = planted(seed, trials=60, scheduler="none", score=score)
    return history, insight_of(history)


def healthy(seed: int, score=truth) -> Case:
    history, insight = search(seed, score)
    best = max((run for run in history), key=lambda run: history.score(run.number))
    return Case(
        epochs=EPOCHS,
        history=history,
        winner=best.params,
        insight=insight,
        trainings=[settled(3 * seed + index) for index in range(3)],
        answer=answer_of(0.002, seed),
        images=20_000,
    )


def kinds(case: Case) -> set[str]:
    return {verdict.kind for verdict in verdicts_on(case)}


def test_a_healthy_study_gets_no_verdict_over_twenty_seeds():
    for seed in range(20):
        assert verdicts_on(healthy(seed)) == [], seed


def rising(params) -> float:
    """Best where the range of smoothing ends."""
    strategy = params["strategy"]
    return 0.8 + 0.08 * (params["smoothing"] / 0.2) + {"full": 0.0, "decay": 0.02, "head": -0.05}[strategy]


def test_the_best_value_at_the_edge_is_named_with_a_longer_range():
    for seed in range(5):
        case = healthy(seed, rising)
        (verdict,) = verdicts_on(case)
        assert verdict.kind == "best value at the edge"
        assert "smoothing" in verdict.says
        assert verdict.settings == ("--set smoothing=[0,0.3]",)
        assert verdict.command("mine") == (
            "finetune-search run --like mine --name mine-2 --set smoothing=[0,0.3]"
        )


@pytest.mark.parametrize(
    ("leaf", "lower", "upper"),
    [
        (Float(1e-4, 1e-2, log=True), (1e-5, 1e-2), (1e-4, 1e-1)),
        (Float(0.2, 0.6), (0.0, 0.6), (0.2, 0.8)),
        (Float(-1.0, 3.0), (-3.0, 3.0), (-1.0, 5.0)),
        (Int(8, 64, log=True), (1, 64), (8, 640)),
        (Int(2, 10, step=2), (0, 10), (2, 14)),
    ],
)
def test_a_range_is_made_longer_by_what_its_parameter_allows(leaf, lower, upper):
    assert longer(leaf, low=True) == pytest.approx(lower)
    assert longer(leaf, low=False) == pytest.approx(upper)
    for name, change in (("x", lower), ("x", upper)):
        SearchSpace({"x": leaf}).narrow({name: list(change)})


def hurts(params) -> float:
    return (
        0.85
        - 0.08 * params["dropout"] / 0.5
        + {"full": 0.0, "decay": 0.02, "head": -0.05}[params["strategy"]]
    )


def test_an_end_that_is_a_natural_one_is_no_edge():
    """Dropout of 0 is best, and there is nothing below; that it never helped is another verdict's."""
    assert "best value at the edge" not in kinds(healthy(0, hurts))


def test_still_improving_at_the_last_epoch():
    rises = [records([0.5 + 0.01 * epoch for epoch in range(EPOCHS)]) for _ in range(3)]
    (verdict,) = verdicts_on(replace(healthy(0), trainings=rises))
    assert verdict.kind == "still improving at the last epoch"
    assert verdict.settings == ("--epochs 40",)
    assert "0.025" in verdict.evidence or "0.030" in verdict.evidence
    once = [rises[0], settled(1), settled(2)]  # one of three is luck
    assert kinds(replace(healthy(0), trainings=once)) == set()


def test_overfitting():
    memorised = records(
        [0.9] * EPOCHS, val=lambda epoch: 0.5 + 0.03 * abs(epoch - 6), train=lambda epoch: 1.0 / epoch
    )
    (verdict,) = verdicts_on(replace(healthy(0), trainings=[memorised, memorised, settled(0)]))
    assert verdict.kind == "overfitting"
    assert "epoch 6 of 20" in verdict.evidence
    assert "84%" in verdict.evidence
    assert "in 2 of 3 trainings" in verdict.evidence
    (setting,) = verdict.settings
    assert setting.startswith("--set dropout=[")
    unlearnt = records(
        [0.9] * EPOCHS, val=lambda epoch: 0.5 + 0.03 * abs(epoch - 6), train=lambda epoch: 1.0 + epoch
    )
    assert kinds(replace(healthy(0), trainings=[unlearnt] * 3)) == set()  # both rise: it falls apart


def test_a_region_that_diverges_is_named_with_its_border():
    case = healthy(1)
    history = planted(1, trials=60, scheduler="none")
    for run in history:
        if run.params["weight_decay"] > 2e-3:
            run.diverged, run.status = True, Status.FAILED
    (verdict,) = [
        one for one in verdicts_on(replace(case, history=history)) if one.kind == "diverging region"
    ]
    assert "weight_decay from 0.002" in verdict.says
    assert verdict.evidence.endswith("and 0 of all others.")
    (setting,) = verdict.settings
    assert setting.startswith("--set weight_decay=[1e-06,0.002")
    scattered = planted(1, trials=60, scheduler="none")
    for run in list(scattered)[::9]:
        run.diverged, run.status = True, Status.FAILED
    assert "diverging region" not in kinds(replace(case, history=scattered))


def test_too_few_trials_and_options_that_were_hardly_tried():
    history = planted(0, trials=25, scheduler="none")
    verdict = next(one for one in verdicts_on(replace(healthy(0), history=history)) if "thinly" in one.kind)
    assert verdict.settings[0].startswith("--trials ")
    assert 75 <= int(verdict.settings[0].split()[1]) <= 90
    space = SearchSpace({"x": Float(0, 1), "kind": Choice(("often", "once"))})
    history = History(space, 3)
    for number in range(20):
        history.begin(number, {"x": number / 20, "kind": "once" if number == 7 else "often"})
    (verdict,) = verdicts_on(Case(3, history, None, Insight()))
    assert verdict.says == "kind=once was hardly tried."
    assert verdict.command("mine") == ""


def test_seeds_that_matter_more_than_parameters():
    (verdict,) = verdicts_on(replace(healthy(0), answer=answer_of(0.05, 0)))
    assert verdict.kind == "seeds matter more than parameters"
    assert verdict.settings == ("--set holdouts=3",)


def test_noise_larger_than_the_differences():
    (verdict,) = verdicts_on(replace(healthy(0), images=200))
    assert verdict.kind == "noise larger than the differences"
    assert "with 200 images" in verdict.evidence
    assert verdict.settings == ("--folds 5",)


def grace(modelled: float, chance: float) -> Insight:
    agreements = [
        Agreement(1, 20, 8, 0.1, -0.5, 0.6, modelled, 30, 60),
        Agreement(3, 20, 8, 0.5, -0.1, 0.8, 0.7, 9, 60),
    ]
    return replace(search(0)[1], agreements=agreements, stopped=[Stopped(1, 1, 0.3, 0.4, 0.8, chance)] * 10)


def test_a_grace_that_was_too_short():
    (verdict,) = verdicts_on(replace(healthy(0), insight=grace(0.2, 0.1)))
    assert verdict.kind == "grace too short"
    assert verdict.settings == ("--set grace=3",)
    assert "number 30 of 60" in verdict.evidence
    assert kinds(replace(healthy(0), insight=grace(0.8, 0.1))) == set()  # it told enough
    assert kinds(replace(healthy(0), insight=grace(0.2, 0.001))) == set()  # nobody was lost for it


def test_a_technique_that_never_helped():
    off = Change("dropout", 0.3, 0.0, {}, {1: 0.9}, effect=0.02, margin=0.01)
    down = Change("dropout", 0.3, 0.1, {}, {1: 0.9}, effect=0.015, margin=0.01)
    close = Change("smoothing", 0.1, 0.0, {}, {1: 0.9}, effect=0.005, margin=0.01)
    changes = Changes({}, {1: 0.88}, [off, down, close], seeds=3)
    (verdict,) = verdicts_on(replace(healthy(0), changes=changes))
    assert verdict.kind == "a technique that never helped"
    assert verdict.says == "dropout is best left out."
    assert verdict.settings == ("--set dropout=0",)


@pytest.mark.parametrize("judge", VERDICTS)
def test_of_a_study_that_has_hardly_begun_nobody_says_anything_that_is_not_so(judge):
    space = SearchSpace({"x": Float(0, 1)})
    history = History(space, 3)
    assert judge(Case(3, history, None, insight_of(history))) == []
    history.begin(0, {"x": 0.5})
    history.record(0, 1, 0.4)
    found = judge(Case(3, history, {"x": 0.5}, insight_of(history)))
    assert {verdict.kind for verdict in found} <= {"sampled too thinly"}


def test_a_border_of_whole_numbers_is_one_that_can_be_typed():
    """1024 is not 1.02e+03, which is no whole number."""
    space = SearchSpace({"batch_size": Int(8, 4096, log=True)})
    history = History(space, 3)
    for number in range(40):
        history.begin(number, {"batch_size": 1024 + number if number < 15 else 8 + number})
        history[number].diverged = number < 15
    (verdict,) = where_it_fails(Case(3, history, None, Insight()))
    assert verdict.settings == ("--set batch_size=[8,1024]",)

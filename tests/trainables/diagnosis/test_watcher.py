"""Steps are watched wherever they are taken: in several processes, in batched passes, on stored features, under SAM."""

from __future__ import annotations

import threading

import pytest
import torch

from tests.conftest import small_dataset
from tests.trainables.ranks.together import together
from trainables import Diverged, from_params, prepare
from trainables.cohort import Cohort
from trainables.diagnosis.causes import Step
from trainables.diagnosis.watcher import unwatched
from trainables.protocol import EpochRecord

PARTS = "tests.trainables.diagnosis.faults"
FULL = {"strategy": "full", "strategy.full.lr": 1e-3}
BAD = {**FULL, "augmentation": f"{PARTS}:Splatters"}
PROBE = {"strategy": "feature_extraction", "strategy.feature_extraction.lr": 1e-2}


def run(params, fixed, material) -> list[EpochRecord] | Diverged:
    try:
        return list(from_params(params, fixed, 0, material).epochs())
    except Diverged as error:
        return error


def bright(material) -> set[int]:
    means = (material.train.pixels / 255).mean((1, 2, 3))
    return {int(row) for row in (means > 0.3).nonzero()[0]}


@pytest.mark.parametrize("changes", [{"sharpness": "sam"}, {"mixing": "none", "ema_decay": 0.9}])
def test_a_bad_image_is_named_whatever_else_a_step_does(changes, fixed, material):
    error = run({**BAD, **changes}, fixed, material)
    assert error.diagnosis.name == "bad_input"
    assert set(error.diagnosis.figures["rows"]) <= bright(material)


def test_a_loss_on_stored_features_is_told_too(fixed, weights):
    fixed = fixed.model_copy(update={"pretrained": str(weights)})
    material = prepare(small_dataset(), fixed)
    error = run({**PROBE, "loss": f"{PARTS}:Roots"}, fixed, material)
    assert isinstance(error, Diverged)
    assert (error.what, error.step) == ("gradient", 1)


def test_the_optimizer_does_not_take_a_step_that_is_not_finite(fixed, material):
    trainable = from_params({**FULL, "loss": f"{PARTS}:Roots"}, fixed, 0, material)
    before = {name: one.detach().clone() for name, one in trainable.model.named_parameters()}
    with pytest.raises(Diverged):
        next(trainable.epochs())
    assert all(torch.equal(one, before[name]) for name, one in trainable.model.named_parameters())


def test_who_looks_before_a_study_takes_steps_unwatched(fixed, material):
    """A rate finder goes on until its loss is not finite, and judges that itself."""
    trainable = from_params({**FULL, "loss": f"{PARTS}:Roots"}, fixed, 0, material)
    trainable.begin(1)
    inputs = trainable.normalise(trainable.train.take(torch.arange(8))[0])
    figures = trainable.step(inputs, torch.eye(4).repeat(2, 1), 8)
    assert not bool(torch.isfinite(figures).all())
    unwatched(figures, figures[2])


def test_steps_that_loss_scaling_skips_are_none_of_its_business(fixed, material):
    records = run(FULL, fixed.model_copy(update={"precision": "fp16", "epochs": 2}), material)
    assert not isinstance(records, Diverged)
    assert records[0].metrics["train/skipped_steps"] > 0


def test_of_trials_in_batched_passes_the_one_at_fault_is_told(fixed, material):
    cohort = Cohort()
    ends: dict[str, list[EpochRecord] | Diverged] = {}

    def train(name: str, params) -> None:
        member = cohort.join(torch.device("cpu"))
        torch.set_num_threads(1)
        with member.turn():
            ends[name] = run(params, fixed.model_copy(update={"epochs": 2}), material)

    recipes = {"well": FULL, "too": {**FULL, "strategy.full.lr": 2e-3}, "bad": BAD}
    threads = [threading.Thread(target=train, args=one) for one in recipes.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends["bad"].diagnosis.name == "bad_input"
    assert len(ends["well"]) == len(ends["too"]) == 2


def _told(params, fixed, material):
    error = run(params, fixed, material)
    return error.step, error.diagnosis.name, error.diagnosis.figures["rows"]


def test_all_processes_of_a_trial_stop_at_the_same_step_and_know_the_image(fixed, material):
    with together(2) as both:
        first, second = both(_told, BAD, fixed, material)
    assert first == second
    assert first[1] == "bad_input"
    assert first[2]
    assert set(first[2]) <= bright(material)


def test_a_step_that_is_forgotten_keeps_no_memory():
    step = Step(1, 1, torch.arange(2), torch.ones(2), torch.ones(2), [torch.ones(2)])
    step.forget()
    assert step.inputs is step.targets is step.logits is None


@pytest.mark.gpu
def test_a_card_is_told_by_what_it_copies_on_its_own_time(fixed, material):
    fixed = fixed.model_copy(update={"device": "cuda"})
    error = run(BAD, fixed, material)
    assert error.diagnosis.name == "bad_input"
    assert set(error.diagnosis.figures["rows"]) <= bright(material)
    records = run(FULL, fixed.model_copy(update={"epochs": 2}), material)
    assert len(records) == 2

"""What an epoch costs here: seconds, memory, disk."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from trainables.finetuning import FineTuning
from trainables.instruments import Laps, PeakMemory
from trainables.optimizers import set_pace
from trainables.packing import size_of
from trainables.timing import wait

WARM, TIMED = 2, 10
"""Steps before and while the clock runs."""

VALIDATED = 256
"""Validation images that are timed."""


@dataclass(frozen=True)
class Cost:
    """What was measured on one recipe.

    Args:
        step: Seconds of a step of the optimizer.
        steps: Of an epoch.
        validation: Seconds of an epoch's validation.
        memory: Peak while training, MiB: of the card, or of the process.
        checkpoint: Bytes of a checkpoint.
        micro: Images of one forward pass that fit; the whole batch where it does.
    """

    step: float
    steps: int
    validation: float
    memory: float
    checkpoint: int
    micro: int

    @property
    def epoch(self) -> float:
        """Seconds of an epoch."""
        return self.step * self.steps + self.validation


def cost_of(trial: FineTuning) -> Cost:
    """Measure a fresh trial; it is used up by that.

    Args:
        trial: Of the core. Steps are timed in the state of its last epoch, where most of the network learns.
    """
    device = trial.precision.device
    memory, laps = PeakMemory(device), Laps(device)
    memory.begin()
    trial.begin(1)
    course = trial.begin(trial.plan.epochs)
    order = trial.order(0)
    set_pace(trial.optimizer, 0.0, 1.0)
    laps.begin()
    began = time.perf_counter()
    for step in range(WARM + TIMED):
        if step == WARM:
            wait(device)
            began = time.perf_counter()
        rows = order[step % len(order)]
        trial.step(*course.batch(rows, laps), len(rows))
    wait(device)
    step_seconds = (time.perf_counter() - began) / TIMED
    count = min(VALIDATED, len(trial.val))
    trial.model.eval()
    began = time.perf_counter()
    with torch.inference_mode(), trial.precision.autocast():
        for inputs, _ in trial.normalise.batches(trial.val.part(0, count), 128):
            trial.model(inputs)
    wait(device)
    validation = (time.perf_counter() - began) / count * len(trial.val)
    peak = memory.end()
    state = size_of(trial.state_dict())
    return Cost(step_seconds, len(order), validation, peak, state, trial.gradients.micro.size)

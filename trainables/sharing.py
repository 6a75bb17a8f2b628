"""How many trials a device has room for, and whether their passes should be made as one: both by measuring."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from spaces import Params
from trainables.builder import from_params
from trainables.cohort.request import Network, Request
from trainables.cohort.stack import Stack
from trainables.config import Fixed
from trainables.data.dataset import Images
from trainables.evaluation import BATCH
from trainables.material import Material
from trainables.memory import MIB
from trainables.precision import Precision
from trainables.timing import pass_seconds, seconds_of

STEPS = 3
"""Of each recipe whose memory is measured: the optimizer has all its state after the first."""
GAIN = 1.1
"""Batched passes must be at least so much faster than those of each by itself."""
MORE = 1.05
"""Twice as many must be so much faster still: each takes memory, and waits for all the others."""
ROUNDS = 7
ROOM = 0.95
"""Share of a card that trials may plan with."""
FRAGMENTS = 1.2
"""What a process reserves on a card is more than the tensors in it."""


def memory_of_a_trial(recipes: Iterable[Params], fixed: Fixed, material: Material) -> float:
    """The most memory that one of some recipes takes on its device, MiB: a few real steps and a validation of each.

    Trained is the last epoch, in which most of a network learns. The images that a trial keeps on the device count
    whole.

    Args:
        recipes: Those that are measured.
        fixed: The study's constants, every ``auto`` decided.
        material: What its trials are made of.
    """
    held = sum(_bytes(split) for split in (material.train, material.val)) if fixed.device == "cuda" else 0
    some = replace(material, val=_first(material.val, BATCH), folds=(), key="")
    found = 0.0
    for params in recipes:
        batch = int(params.get("batch_size", fixed.batch_size))
        few = replace(some, train=_first(material.train, STEPS * batch))
        found = max(found, _peak(params, fixed, few))
        gc.collect()  # a network and what holds it refer to each other
    return found + held / MIB


def _peak(params: Params, fixed: Fixed, material: Material) -> float:
    """Of one recipe; 0 where it cannot be trained, which is for its trial to say."""
    try:
        trial = from_params(params, fixed.model_copy(update={"repeats": 1}), 0, material)
        trial.epoch = fixed.epochs - 1
        return next(trial.epochs()).metrics["memory/peak_mb"]
    except Exception:  # it diverges, or fits nowhere, or is at fault
        return 0.0


def give_back(device: torch.device) -> None:
    """What was measured with is no longer held on the device."""
    gc.collect()  # a network and what holds it refer to each other
    if device.type == "cuda":
        torch.cuda.empty_cache()


def memory_beside(device: torch.device) -> tuple[float, float]:
    """Memory of a card that no trial can have, for each process on it, and all that it has, MiB.

    What a process takes by being there: everything that is taken now and is not this process's tensors. On a card that
    others use too it is too much, which errs on the safe side.
    """
    give_back(device)
    free, total = torch.cuda.mem_get_info(device)
    return (total - free - torch.cuda.memory_reserved(device)) / MIB, total / MIB


def room_for(peak: float, beside: float, total: float) -> int:
    """How many processes a card has room for, at least 1.

    Args:
        peak: Of one trial, MiB; 0 where none could be trained.
        beside: Of its process, MiB.
        total: Of the card, MiB.
    """
    return max(1, int(ROOM * total / (FRAGMENTS * peak + beside))) if peak else 1


def number_that_pays(
    make_model: Callable[[], nn.Module], batch: Tensor, precision: Precision, most: int
) -> int:
    """How many networks of one architecture should be trained as one; 1 where that is not faster.

    Powers of two are tried, as long as there is room: a batched pass costs something by itself, so that eight may pay
    where two do not. Each number is timed in turn with the pass of one network by itself, and best rounds are compared.

    Args:
        make_model: Makes a network, in training mode, on the batch's device.
        batch: A normalised batch [B, C, H, W] of the study's size.
        precision: The arithmetic that is trained in.
        most: No more than that many.
    """
    models: list[nn.Module] = []
    chosen, enough = 1, GAIN
    number = 2
    while number <= most:
        try:
            models += [make_model() for _ in range(number - len(models))]
            faster = gain_of(models, batch, precision)
        except Exception:  # no room, or a network that cannot be batched: each fails in its own way
            break
        if faster >= enough:
            chosen, enough = number, faster * MORE
        number *= 2
    return chosen


def gain_of(models: list[nn.Module], batch: Tensor, precision: Precision) -> float:
    """How much faster so many networks are as one."""
    stack, networks = Stack(models[0], len(models)), [Network(model) for model in models]

    def judge(logits: Tensor, extra: Tensor) -> tuple[Tensor, Tensor]:
        loss = logits.float().square().mean()
        return loss, loss.detach()

    def as_one() -> None:
        generator = torch.Generator(batch.device)
        stack.run([Request(network, batch, judge, generator) for network in networks], precision)

    alone = partial(pass_seconds, models[0], batch, precision)
    for _ in range(2):
        as_one()
        alone()
    rounds = [(seconds_of(as_one, batch.device), alone()) for _ in range(ROUNDS)]
    return len(models) * min(one for _, one in rounds) / min(all_ for all_, _ in rounds)


def _bytes(images: Images) -> int:
    return len(images) * int(np.prod(images.pixels.shape[1:]))


def _first(images: Images, number: int) -> Images:
    """Its first so many images."""
    rows = np.arange(len(images)) if images.rows is None else images.rows
    clusters = None if images.clusters is None else images.clusters[:number]
    return replace(images, rows=rows[:number], labels=images.labels[:number], clusters=clusters)

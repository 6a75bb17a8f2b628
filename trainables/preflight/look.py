"""Everything that is looked at before a study, in one call that a process with the device can make."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from spaces import Params
from spaces.locate import locate
from trainables.builder import build
from trainables.config import Fixed, TrialConfig
from trainables.finetuning import FineTuning
from trainables.material import Material
from trainables.preflight.checks.learning_rate import check_learning_rate
from trainables.preflight.core import setup_of
from trainables.preflight.cost import Cost, cost_of
from trainables.preflight.preflight import CHECKS, Check, preflight
from trainables.preflight.result import Result, Verdict, skipped
from trainables.preflight.setup import Setup

CORE = "trainables.builder:from_params"

PICTURES = 24
"""Augmented images that are shown."""


@dataclass(frozen=True)
class Picture:
    """One augmented training image as the network gets it, back in [0, 255].

    Args:
        pixels: [H, W, C], uint8.
        label: Name of its class, or of the one that it has most of.
    """

    pixels: NDArray[np.uint8]
    label: str


@dataclass(frozen=True)
class Looked:
    """What was seen.

    Args:
        results: Of the checks of the first recipe.
        rates: Strategy → what its ramp says; of those that were looked at.
        cost: Of an epoch of the first recipe; none where it could not be trained.
        pictures: What its augmentation makes.
        seconds: How long it took.
    """

    results: tuple[Result, ...]
    rates: Mapping[str, Result]
    cost: Cost | None
    pictures: tuple[Picture, ...]
    seconds: float


def look(
    recipes: Mapping[str, Params],
    fixed: Fixed,
    material: Material,
    *,
    factory: str = CORE,
    seed: int = 0,
    threads: int = 1,
    allowance: float | None = None,
) -> Looked:
    """Look at a study's recipes.

    Args:
        recipes: Strategy → an ordinary recipe of it. All checks are made of the first; of the others the learning rate.
        fixed: The study's constants, every ``auto`` decided.
        material: Its data and weights.
        factory: What makes the study's trainables, as ``package.module:attribute``. One of the user's own is looked at
            where it has a method ``setup()`` that gives a `Setup`.
        seed: Of the new parts of the network.
        threads: Torch threads.
        allowance: Epochs of the first recipe whose time a check may take: the short form, which looks at no other
            recipe's learning rate. None for all checks.
    """
    began = time.perf_counter()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        if factory != CORE:
            own = locate(factory)(next(iter(recipes.values())), fixed, seed, material)
            return Looked(tuple(_own(own)), {}, None, (), time.perf_counter() - began)
        configs = {name: TrialConfig.from_params(params, fixed, seed) for name, params in recipes.items()}
        name, first = next(iter(configs.items()))
        setup = setup_of(first, material)
        price = _Price(partial(build, first, material), allowance)
        results = tuple(preflight(setup, CHECKS, price))
        ramped = [one for one in results if one.check == "learning_rate" and one.figures]
        rates = {name: ramped[0]} if ramped else {}
        if allowance is None and rates:
            for other, config in list(configs.items())[1:]:
                rates[other] = next(check_learning_rate(setup_of(config, material)))
        blocked = any(one.verdict is Verdict.BLOCKER for one in results)
        pictures = () if blocked else _pictures(setup, material)
        return Looked(results, rates, price.cost, pictures, time.perf_counter() - began)
    finally:
        torch.set_num_threads(before)


def _own(trainable: object) -> list[Result]:
    """Of a trainable that is not the core's."""
    setup = getattr(trainable, "setup", None)
    if setup is None:
        why = "the study's trainable has no `setup()` that gives a `trainables.preflight.setup.Setup` to look at"
        return [skipped(check.name, why) for check in CHECKS]
    return list(preflight(setup()))


class _Price:
    """Leaves out what costs too much. What an epoch costs is measured once it is known that something is computed.

    Args:
        make: Makes a trial.
        allowance: Epochs whose time a check may take; none for any.
    """

    def __init__(self, make: Callable[[], FineTuning], allowance: float | None) -> None:
        self._make, self._allowance = make, allowance
        self.cost: Cost | None = None

    def __call__(self, check: Check) -> str:
        if not check.steps:
            return ""
        if self.cost is None:
            self.cost = cost_of(self._make())
        seconds = check.steps * self.cost.step
        if self._allowance is None or seconds <= self._allowance * self.cost.epoch:
            return ""
        return (
            f"its {check.steps} steps may take {seconds:.0f} s, much for a study this short; "
            "`finetune-search preflight` makes it"
        )


def _pictures(setup: Setup, material: Material) -> tuple[Picture, ...]:
    """A batch as a step gets it, undone as far as normalisation goes."""
    rows = torch.arange(min(PICTURES, len(setup.train.labels)))
    inputs, targets = setup.loop().batch(rows)
    mean, std = (
        torch.tensor(values).view(1, -1, 1, 1) for values in (material.normalise.mean, material.normalise.std)
    )
    pixels = ((inputs.detach().float().cpu() * std + mean).clamp(0, 1) * 255).round().to(torch.uint8)
    classes = targets.cpu().argmax(1).tolist() if targets.ndim > 1 else targets.cpu().tolist()
    return tuple(
        Picture(image.permute(1, 2, 0).contiguous().numpy(), setup.classes[label])
        for image, label in zip(pixels, classes, strict=True)
    )

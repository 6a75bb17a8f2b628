"""What a study leaves open and this machine decides: measured once, on the study's own network and images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from trainables.compilation import compile_pays
from trainables.config import Fixed
from trainables.data.batches import Split
from trainables.material import Material
from trainables.memory_format import AS_USUAL, FORMATS, laid_out
from trainables.models.network import make_network
from trainables.precision import Precision, candidates, pick_device
from trainables.timing import pass_seconds, quickest


def settle(fixed: Fixed, material: Material, threads: int = 1) -> Fixed:
    """`fixed` with every ``auto`` decided for this machine: the device, and by measuring all that is about speed.

    Each choice is measured with those before it taken: first the arithmetic, then the order in memory, then whether
    compiling pays. The usual (fp32, channels last) stays unless another is faster by a tenth. An arithmetic in which
    the network gives, or learns from, anything that is not finite on the study's images is not taken.

    Args:
        fixed: The study's constants.
        material: What its trials are made of.
        threads: Torch threads of one trial: what pays on one core need not pay on eight.
    """
    device = pick_device(fixed.device)
    fixed = fixed.model_copy(update={"device": device.type})
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        trial = _Sample(fixed, material, device)
        if fixed.precision == "auto":
            fixed = fixed.model_copy(update={"precision": trial.quickest_precision()})
        precision = Precision(fixed.precision, device)
        if fixed.memory_format == "auto":
            fixed = fixed.model_copy(update={"memory_format": trial.quickest_format(precision)})
        if fixed.compile == "auto":
            fixed = fixed.model_copy(update={"compile": trial.compiling_pays(precision, fixed.memory_format)})
    finally:
        torch.set_num_threads(before)
    return fixed


def threads_that_pay(fixed: Fixed, material: Material, most: int) -> int:
    """How many torch threads one trial should have, where so many cores are free for it: 1, 2, 4 and so on are tried.

    More are taken only where they make a pass a tenth shorter: small networks wait longer for each other's threads than
    they gain.

    Args:
        fixed: The study's constants; what is ``auto`` in them is taken as usual.
        material: What its trials are made of.
        most: Cores that one trial may have, from 1.
    """
    device = pick_device(fixed.device)
    numbers = [2**power for power in range(most.bit_length())]
    if device.type != "cpu" or len(numbers) == 1:
        return 1
    before = torch.get_num_threads()
    try:
        return _Sample(fixed, material, device).quickest_threads(numbers)
    finally:
        torch.set_num_threads(before)


class _Sample:
    """A batch of the study, and networks for it."""

    def __init__(self, fixed: Fixed, material: Material, device: torch.device) -> None:
        self._fixed, self._material, self._device = fixed, material, device
        self._images = min(fixed.batch_size, len(material.train))
        self._steps = fixed.epochs * max(
            1, len(material.train) * (fixed.repeats or material.repeats) // self._images
        )

    def quickest_threads(self, numbers: Sequence[int]) -> int:
        asked = self._fixed.precision
        order = AS_USUAL if self._fixed.memory_format == "auto" else str(self._fixed.memory_format)
        precision = Precision("fp32" if asked == "auto" else asked, self._device)
        model, batch = self._network(order), self._batch(order)

        def seconds(threads: int) -> float:
            torch.set_num_threads(threads)
            return pass_seconds(model, batch, precision)

        return quickest({number: partial(seconds, number) for number in numbers})

    def quickest_precision(self) -> str:
        batch = self._batch(AS_USUAL)
        found = {
            name: partial(pass_seconds, self._network(AS_USUAL), batch, Precision(name, self._device))
            for name in candidates(self._device)
            if name == "fp32" or self._is_finite(batch, Precision(name, self._device))
        }
        return quickest(found)

    def quickest_format(self, precision: Precision) -> str:
        batch = self._batch(AS_USUAL)  # as augmentation leaves it

        def seconds(model: nn.Module, name: str) -> float:
            return pass_seconds(lambda inputs: model(laid_out(inputs, name)), batch, precision)

        return quickest({name: partial(seconds, self._network(name), name) for name in FORMATS})

    def compiling_pays(self, precision: Precision, memory_format: str) -> bool:
        return compile_pays(
            partial(self._network, memory_format), self._batch(memory_format), precision, self._steps
        )

    def _network(self, memory_format: str) -> nn.Module:
        material = self._material
        model = make_network(
            material.backbone,
            material.weights,
            classes=len(material.classes),
            channels=material.channels,
            memory_format=memory_format,
        )
        return model.to(self._device).train()

    def _batch(self, memory_format: str) -> Tensor:
        some = Split(self._material.train, torch.device("cpu")).part(0, self._images)
        normalise = replace(self._material.normalise, memory_format=memory_format)
        return next(inputs for inputs, _ in normalise.batches(some, self._images)).to(self._device)

    def _is_finite(self, batch: Tensor, precision: Precision) -> bool:
        """Whether a pass and what it gives to learn from are numbers, without any scaling of the loss."""
        model = self._network(AS_USUAL)
        with precision.autocast():
            logits = model(batch)
        logits.float().logsumexp(1).mean().backward()
        gradients = [one.grad for one in model.parameters() if one.grad is not None]
        return all(bool(one.isfinite().all()) for one in [logits, *gradients])

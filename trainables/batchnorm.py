"""What becomes of BatchNorm's statistics when a network moves to other images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar, Protocol

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from spaces import InputError
from trainables.parts import Part

SHARE = "running_share"
"""Attribute of a stochastic BatchNorm: how likely a channel takes the running statistics, in [0, 1]."""

HELD = "held_statistics"
"""Attribute of a BatchNorm that is computed again: its momentum and its count of batches."""


class BatchNorm(Protocol):
    """What is done about BatchNorm."""

    def bind(self, model: nn.Module, name: str) -> None:
        """Change a new network once; `name` is what its user calls it."""

    def prepare(self, model: nn.Module, batches: Callable[[], Iterator[Tensor]]) -> None:
        """Once before the first epoch; `batches` gives training inputs [B, C, H, W], as they are."""

    def on_epoch(self, model: nn.Module) -> None:
        """Before each epoch, after the strategy has said what learns."""


def norms_of(model: nn.Module) -> list[_BatchNorm]:
    """All BatchNorm layers that keep running statistics: torch's, and timm's with an activation inside."""
    return [
        module
        for module in model.modules()
        if isinstance(module, _BatchNorm) and module.running_mean is not None
    ]


@contextmanager
def statistics_kept(model: nn.Module) -> Iterator[None]:
    """Whatever happens to BatchNorm's running statistics inside is undone at the end."""
    live = [buffer for norm in norms_of(model) for buffer in norm.buffers(recurse=False)]
    kept = [buffer.detach().clone() for buffer in live]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, before in zip(live, kept, strict=True):
                buffer.copy_(before)


@torch.no_grad()
def re_estimate(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Forget the running statistics and take those of `batches`: the mean over images of each batch's own.

    Only BatchNorms in training mode are touched: a frozen one keeps what it has. Everything else is in
    evaluation mode meanwhile, so nothing is drawn at random; modes are as before at the end. Without a
    batch, or a BatchNorm in training mode, nothing happens.

    Args:
        model: The network.
        batches: Normalised inputs [B, C, H, W] on the network's device. A last batch of a single image is
            left out where others are larger: over one image there is little to average, or nothing.

    Source: Li et al., "Revisiting Batch Normalization For Practical Domain Adaptation", 2016
    (arXiv:1603.04779).
    """
    norms = [norm for norm in norms_of(model) if norm.training]
    if not norms:
        return
    modes = {module: module.training for module in model.modules()}
    before = [(norm, norm.momentum, getattr(norm, SHARE, None)) for norm in norms]
    try:
        model.eval()
        for norm in norms:
            norm.training = True  # of the layer itself: a dropout inside stays off
            if hasattr(norm, SHARE):
                setattr(norm, SHARE, 0.0)
        seen = largest = 0
        for inputs in batches:
            largest = max(largest, len(inputs))
            if len(inputs) == 1 < largest:
                continue
            if not seen:
                for norm in norms:
                    norm.reset_running_stats()
            seen += len(inputs)
            for norm in norms:
                norm.momentum = len(inputs) / seen
            model(inputs)
    finally:
        for norm, momentum, share in before:
            norm.momentum = momentum
            if share is not None:
                setattr(norm, SHARE, share)
        for module, training in modes.items():
            module.training = training


def count_once(model: nn.Module) -> None:
    """Make BatchNorm take in a batch once, also where gradient checkpointing computes activations twice.

    Without it each batch moves the running statistics a second time in the backward pass, and what is
    computed again is not what it was. To be called once, on a network that checkpoints.
    """
    for norm in norms_of(model):
        norm.register_forward_pre_hook(_hold)
        norm.register_forward_hook(_release, always_call=True)  # recomputing ends by an exception


def _hold(norm: Any, inputs: tuple[Tensor, ...]) -> None:
    """In a backward pass: let the running statistics stay where they are."""
    if torch.compiler.is_compiling() or not norm.training or torch._C._current_graph_task_id() == -1:
        return
    setattr(norm, HELD, (norm.momentum, norm.num_batches_tracked.clone()))
    norm.momentum = 0.0


def _release(norm: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    """Afterwards: as before."""
    if getattr(norm, HELD, None) is None:
        return
    norm.momentum, counted = getattr(norm, HELD)
    norm.num_batches_tracked.copy_(counted)
    setattr(norm, HELD, None)


class AsBuilt(Part):
    """BatchNorm as the architecture has it."""

    def bind(self, model: nn.Module, name: str) -> None:
        """Any network will do, with BatchNorm or without."""

    def prepare(self, model: nn.Module, batches: Callable[[], Iterator[Tensor]]) -> None:
        """Nothing to prepare."""

    def on_epoch(self, model: nn.Module) -> None:
        """As the strategy has left it."""


class _Changed(Part):
    """A change to BatchNorm, which needs one to act on."""

    chosen_as: ClassVar[str] = ""

    def bind(self, model: nn.Module, name: str) -> None:
        """Look whether there is a BatchNorm.

        Raises:
            InputError: The model has none.
        """
        if not norms_of(model):
            raise InputError(
                f"model {name!r} has no BatchNorm, so it cannot take 'batchnorm={self.chosen_as}': "
                "set batchnorm=as_built"
            )

    def prepare(self, model: nn.Module, batches: Callable[[], Iterator[Tensor]]) -> None:
        """Nothing to prepare."""

    def on_epoch(self, model: nn.Module) -> None:
        """As the strategy has left it."""


class Momentum(_Changed):
    """Running statistics that follow the batches faster or slower.

    Args:
        momentum: Weight of the newest batch, in (0, 1] (torch's meaning: 0.1 is its default).

    Source: Ioffe & Szegedy, ICML 2015 (arXiv:1502.03167); of small fine-tuning sets, Kornblith et al.,
    CVPR 2019 (arXiv:1805.08974), who lower it with the number of steps an epoch.
    """

    chosen_as: ClassVar[str] = "momentum"
    momentum: Annotated[float, Field(gt=0, le=1)] = 0.1

    def bind(self, model: nn.Module, name: str) -> None:
        """Set it in every BatchNorm.

        Raises:
            InputError: The model has none.
        """
        super().bind(model, name)
        for norm in norms_of(model):
            norm.momentum = self.momentum


class ReEstimated(_Changed):
    """Before the first epoch the statistics are taken anew, from the training images.

    Layers that a strategy freezes then evaluate by the statistics of the images that they see. Where a
    BatchNorm learns, its statistics move on from there.

    Source: AdaBN of Li et al., 2016 (arXiv:1603.04779).
    """

    chosen_as: ClassVar[str] = "re_estimated"

    def prepare(self, model: nn.Module, batches: Callable[[], Iterator[Tensor]]) -> None:
        """Pass once over the training images."""
        for norm in norms_of(model):
            norm.training = True
        re_estimate(model, batches())


class Frozen(_Changed):
    """Every BatchNorm normalises by its pretrained statistics, in training too; scale and shift learn.

    Source: what detection does with its small batches since He et al., CVPR 2016 (arXiv:1512.03385),
    appendix A; there scale and shift are frozen too.
    """

    chosen_as: ClassVar[str] = "frozen"

    def on_epoch(self, model: nn.Module) -> None:
        """Put BatchNorm into evaluation mode, but not what is inside of it."""
        for norm in norms_of(model):
            norm.training = False


class Stochastic(_Changed):
    """StochNorm: channels drawn at random normalise by the running statistics in place of the batch's.

    It keeps what the pretrained statistics know, as dropout keeps weights from relying on each other. A
    BatchNorm that a strategy has frozen takes the running ones for all channels anyway.

    Args:
        p: How likely a channel takes the running statistics at a step, in [0, 1]: at 0 it is BatchNorm, at
            1 the batch only moves the statistics.

    Source: Kou et al., "Stochastic Normalization", NeurIPS 2020; the authors' code counts the other way
    round, by how likely the batch's own statistics are.
    """

    chosen_as: ClassVar[str] = "stochastic"
    p: Annotated[float, Field(ge=0, le=1)] = 0.5

    def bind(self, model: nn.Module, name: str) -> None:
        """Hang the draw onto every BatchNorm; names and shapes of weights stay as they were.

        Raises:
            InputError: The model has none.
        """
        super().bind(model, name)
        for norm in norms_of(model):
            if not hasattr(norm, SHARE):
                norm.register_forward_hook(_mix)
            setattr(norm, SHARE, self.p)


def _mix(norm: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """The layer's own output, in some channels replaced by that of its running statistics.

    A function of the module and nothing else, so that a copy of the network draws for itself. The statistics
    already know this batch: the backward pass, which reads them again, then reads the same ones.
    """
    share: float = getattr(norm, SHARE)
    if not (norm.training and share):
        return output
    (x,) = inputs
    remembered = functional.batch_norm(
        x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps
    )
    for name in ("drop", "act"):  # what timm's BatchNormAct2d does after it has normalised
        after = getattr(norm, name, None)
        remembered = remembered if after is None else after(remembered)
    drawn = torch.rand(x.shape[1], device=x.device) < share
    return torch.where(drawn.view(1, -1, *(1,) * (x.ndim - 2)), remembered, output)

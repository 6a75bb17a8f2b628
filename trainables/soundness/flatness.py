"""How flat the loss is about a network's weights: what it costs to miss them by a little."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from trainables.seeds import derive_seed
from trainables.soundness.figures import Flatness


def flatness(
    model: nn.Module,
    loss_of: Callable[[], Tensor],
    seed: int,
    radius: float = 0.1,
    rho: float = 0.05,
    directions: int = 8,
) -> Flatness:
    """Measure the loss about the weights; weights, buffers, gradients and modes are to the bit as they were.

    Parameters of one dimension, biases and those of norms, are left in place in random directions, as the paper
    has it; the gradient moves all that need one.

    Args:
        model: The network, on one device. Weights that are frozen stay in place; evaluation mode is the caller's to
            choose.
        loss_of: The mean loss of the network over some images, a scalar that gradients can flow back from. It is
            called as many times as there are directions, and twice more.
        seed: Of the random directions.
        radius: How far a random place lies off, as a share of each filter's length, above 0: normalised by
            filter, it means the same for weights that a norm after them makes scale-free.
        rho: Length of the step up the gradient, over all weights together, above 0; SAM's.
        directions: At least 1.

    Raises:
        ValueError: A number is not above 0, no weight is trained, or the loss at the weights is not finite.

    Source: Li et al., NeurIPS 2018 (arXiv:1712.09913), section 4, for filter-normalised directions; Foret et al.,
    ICLR 2021 (arXiv:2010.01412), equation 2, for the worst place.
    """
    for name, value in (("radius", radius), ("rho", rho), ("directions", directions)):
        if not value > 0:
            raise ValueError(f"{name} must be above 0, but got {value}")
    weights: list[Tensor] = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not weights:
        raise ValueError("the model must have weights that are trained, but all of them are frozen")
    with _kept(model):
        with torch.enable_grad():
            reached = loss_of()
            slopes = torch.autograd.grad(reached, weights, allow_unused=True)
        loss = float(reached.detach())
        if not math.isfinite(loss):
            raise ValueError(f"the loss must be finite at the weights themselves, but got {loss}")
        with torch.no_grad():
            length = nn.utils.get_total_norm([slope for slope in slopes if slope is not None])
            up = [
                torch.zeros_like(weight) if slope is None or not length else slope * (rho / length)
                for weight, slope in zip(weights, slopes, strict=True)
            ]
            worst = _loss_at(weights, up, loss_of)
            rises = []
            for index in range(directions):
                generator = torch.Generator().manual_seed(derive_seed(seed, "direction", index))
                steps = [_filterwise(weight, radius, generator) for weight in weights]
                rises.append(_loss_at(weights, steps, loss_of) - loss)
    return Flatness(loss, tuple(rises), sum(rises) / len(rises), worst - loss)


def _filterwise(weight: Tensor, radius: float, generator: torch.Generator) -> Tensor:
    """A random step of which the part for each filter is `radius` times as long as the filter."""
    if weight.dim() < 2:
        return torch.zeros_like(weight)
    drawn = torch.randn(weight.shape, generator=generator).to(weight)
    ours, theirs = weight.flatten(1).norm(dim=1), drawn.flatten(1).norm(dim=1).clamp(min=1e-12)
    step: Tensor = drawn * (radius * ours / theirs).view(-1, *[1] * (weight.dim() - 1))
    return step


def _loss_at(weights: list[Tensor], steps: list[Tensor], loss_of: Callable[[], Tensor]) -> float:
    """The loss one step off; the weights are put back, not stepped back, so that no bit is lost."""
    before = [weight.detach().clone() for weight in weights]
    try:
        torch._foreach_add_(weights, steps)
        return float(loss_of())
    finally:
        torch._foreach_copy_(weights, before)


@contextmanager
def _kept(model: nn.Module) -> Iterator[None]:
    """Buffers, such as BatchNorm's statistics in training mode, are afterwards what they were."""
    live = list(model.buffers())
    before = [buffer.detach().clone() for buffer in live]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, kept in zip(live, before, strict=True):
                buffer.copy_(kept)

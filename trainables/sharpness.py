"""Whether flat minima are looked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Protocol

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables.batchnorm import statistics_kept
from trainables.parts import Part


class Sharpness(Protocol):
    """How the gradient of a step comes about."""

    @property
    def passes(self) -> int:
        """Forward and backward passes that a step costs."""
        ...

    def gradients(
        self, compute: Callable[[], Tensor], optimizer: torch.optim.Optimizer, model: nn.Module
    ) -> Tensor:
        """Leave in each parameter's ``.grad`` what the optimizer shall step by.

        Args:
            compute: Adds the batch's gradient to ``.grad`` and returns figures; may be called again.
            optimizer: Whose parameters they are.
            model: The network.

        Returns:
            The figures at the weights themselves.
        """
        ...


class Plain(Part):
    """The gradient where the weights are."""

    @property
    def passes(self) -> int:
        """One."""
        return 1

    def gradients(
        self, compute: Callable[[], Tensor], optimizer: torch.optim.Optimizer, model: nn.Module
    ) -> Tensor:
        """Compute once."""
        return compute()


class SAM(Part):
    """Sharpness-aware minimisation: the gradient at the worst place within `rho` of the weights.

    A step costs two passes. The second one sees the same images and the same dropout, and leaves
    BatchNorm's statistics alone.

    Args:
        rho: Length of the climb, above 0.
        adaptive: Measure the climb in units of each weight's size, which makes it independent of their scale.

    Source: Foret et al., ICLR 2021 (arXiv:2010.01412); adaptive: Kwon et al., ICML 2021 (arXiv:2102.11600).
    """

    rho: Annotated[float, Field(gt=0)] = 0.05
    adaptive: bool = False

    @property
    def passes(self) -> int:
        """Two."""
        return 2

    def gradients(
        self, compute: Callable[[], Tensor], optimizer: torch.optim.Optimizer, model: nn.Module
    ) -> Tensor:
        """Compute, climb, compute, and come back to the very weights, bit by bit."""
        cuda = [p.device for p in model.parameters() if p.device.type == "cuda"][:1]
        with torch.random.fork_rng(devices=cuda):
            figures = compute()
        learning = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        with torch.no_grad():
            kept = [parameter.detach().clone() for parameter in learning]
            for parameter, climb in zip(learning, self._climbs(learning), strict=True):
                parameter.add_(climb)
                parameter.grad = None
        with statistics_kept(model):
            compute()
        with torch.no_grad():
            torch._foreach_copy_(learning, kept)
        return figures

    def _climbs(self, learning: list[nn.Parameter]) -> list[Tensor]:
        """Where the loss rises fastest, `rho` long in all; nowhere if the gradient is not finite.

        A gradient that loss scaling has made longer points the same way. One that it has made overflow
        is left to the scaler, which finds it in the second pass too, since the weights have not moved.
        """
        sizes = [p.abs() if self.adaptive else torch.ones_like(p) for p in learning]
        slopes = [size * p.grad for size, p in zip(sizes, learning, strict=True) if p.grad is not None]
        norm = nn.utils.get_total_norm(slopes)
        scale = torch.where(torch.isfinite(norm), self.rho / (norm + 1e-12), torch.zeros_like(norm))
        return [
            torch.nan_to_num(size * slope * scale, nan=0.0, posinf=0.0, neginf=0.0)
            for size, slope in zip(sizes, slopes, strict=True)
        ]

"""What is done about long gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Protocol

import torch
from pydantic import Field
from timm.utils.agc import adaptive_clip_grad
from torch import Tensor, nn

from trainables.parts import Part


class Clipping(Protocol):
    """Shortens gradients in place."""

    def __call__(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        """Clip the gradients of `parameters`; those without one are passed over.

        Returns:
            The norm of the whole gradient before, 0-dim, on its device; not finite where the gradient is not.
        """
        ...


def gradient_norm(parameters: Sequence[nn.Parameter]) -> Tensor:
    """The Euclidean norm of the whole gradient, 0-dim; 0 where there is none."""
    return nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])


class NoClipping(Part):
    """Gradients stay as they are."""

    def __call__(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        """Only measure."""
        return gradient_norm(parameters)


class ClipNorm(Part):
    """The whole gradient is scaled down to `max` where it is longer.

    Args:
        max: The longest norm, above 0.

    Source: Pascanu, Mikolov & Bengio, ICML 2013 (arXiv:1211.5063).
    """

    max: Annotated[float, Field(gt=0)] = 1.0

    def __call__(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        """Scale to `max`."""
        norm = gradient_norm(parameters)
        nn.utils.clip_grads_with_norm_(parameters, self.max, norm)
        return norm


class ClipValue(Part):
    """Each entry of the gradient is cut to [−max, max].

    Args:
        max: The largest entry, above 0.
    """

    max: Annotated[float, Field(gt=0)] = 0.1

    def __call__(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        """Cut each entry."""
        norm = gradient_norm(parameters)
        nn.utils.clip_grad_value_(parameters, self.max)
        return norm


class ClipAdaptively(Part):
    """Each unit's gradient is scaled down to `factor` times the norm of its weights where it is longer.

    Args:
        factor: In (0, 1].

    Source: Brock et al., NFNets, ICML 2021 (arXiv:2102.06171), section 4.1.
    """

    factor: Annotated[float, Field(gt=0, le=1)] = 0.02

    def __call__(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        """Scale unit by unit, as timm does it."""
        norm = gradient_norm(parameters)
        with torch.no_grad():
            adaptive_clip_grad(list(parameters), clip_factor=self.factor)
        return norm

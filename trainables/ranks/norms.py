"""BatchNorm over the images of all processes, on any device.

torch's `SyncBatchNorm` does it on GPUs only, and in place of a layer, of which there are many kinds: timm's with an
activation inside, stochastic ones. Here what all of them call is taken over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class OverRanks(TorchFunctionMode):
    """Within it a batch's statistics are those of all processes' passes.

    Args:
        number: Of this process, from 0.
        size: How many there are.
    """

    def __init__(self, number: int, size: int) -> None:
        super().__init__()
        self._number, self._size = number, size

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Torch's call for each function of its own."""
        if func is functional.batch_norm:
            return self._batch_norm(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _batch_norm(
        self,
        x: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        """`torch.nn.functional.batch_norm`, [B, C, …], with the mean and the variance of all processes' images."""
        if not training:
            return functional.batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
        with torch.no_grad():
            mean, variance, images = self._statistics(x)
            if running_mean is not None and running_var is not None:
                running_mean.lerp_(mean.to(running_mean.dtype), momentum)
                unbiased = variance * (images / (images - 1).clamp(min=1))
                running_var.lerp_(unbiased.to(running_var.dtype), momentum)
        normalised: Tensor = _Normalised.apply(x, mean, variance, images, weight, bias, eps)
        return normalised

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and variance of each channel, [C], float32, and over how many values, 0-dim.

        Parts are put together by Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for computing
        sample variances" (1979), which loses no digits where means are large.
        """
        channels = x.shape[1]
        # Several times faster on processors than `torch.var_mean` over all but one dimension.
        mean, variance = torch.batch_norm_update_stats(x.float(), None, None, 0.0)
        count = torch.full((1,), float(x.numel() // channels), device=x.device)
        table = torch.zeros(self._size, 2 * channels + 1, device=x.device)
        table[self._number] = torch.cat((mean, variance, count))
        dist.all_reduce(table)  # each process's row, since it is 0 in the tables of the others
        means, variances, counts = table[:, :channels], table[:, channels:-1], table[:, -1:]
        images = counts.sum()
        whole = (counts * means).sum(0) / images
        return whole, (counts * (variances + (means - whole) ** 2)).sum(0) / images, images


class _Normalised(torch.autograd.Function):
    """Keeps what torch's own does: the input. One sum over processes in each direction.

    With the statistics given, torch's passes for an evaluation are all but two terms of the gradient.

    Source: Ioffe & Szegedy, ICML 2015 (arXiv:1502.03167), section 3, with the sums of the gradient over all parts.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        mean: Tensor,
        variance: Tensor,
        images: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        eps: float,
    ) -> Tensor:
        """(x − mean) / √(variance + eps) · weight + bias, [B, C, …]."""
        ctx.save_for_backward(x, mean, variance, images, weight)
        ctx.eps = eps
        weight, bias = (None if one is None else one.float() for one in (weight, bias))
        return functional.batch_norm(x.float(), mean, variance, weight, bias, False, 0.0, eps).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Of a loss that is the sum of all processes'."""
        x, mean, variance, images, weight = ctx.saved_tensors
        wide, scale = x.float(), None if weight is None else weight.float()
        of_x, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            gradient.float(), wide, scale, mean, variance, None, None, False, ctx.eps, [True, True, True]
        )
        # A copy: these two are summed with those of all other weights.
        sums = torch.stack((of_weight, of_bias))
        dist.all_reduce(sums)
        slope = torch.rsqrt(variance + ctx.eps)
        along, constant = -sums / images * (slope if scale is None else slope * scale)
        along = along * slope
        of_x.addcmul_(wide, _wide(along, x)).add_(_wide(constant - along * mean, x))
        of_weight = None if weight is None else of_weight.to(weight.dtype)
        of_bias = of_bias if ctx.needs_input_grad[5] else None
        return of_x.to(x.dtype), None, None, None, of_weight, of_bias, None


def _wide(values: Tensor, x: Tensor) -> Tensor:
    """One value a channel, [C], as it is for `x`, [B, C, …]."""
    return values.view(1, -1, *(1,) * (x.ndim - 2))

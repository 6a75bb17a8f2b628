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
        """`torch.nn.functional.batch_norm`, [B, C, …], with the mean and the variance of all processes' images.

        Parts are put together by Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for computing
        sample variances" (1979), which loses no digits where means are large.
        """
        if not training:
            return functional.batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
        wide = x.float()
        channels = x.shape[1]
        variance, mean = torch.var_mean(wide, [0, *range(2, x.ndim)], correction=0)
        count = wide.new_tensor([x.numel() // channels])
        table = self._gathered(torch.cat((mean, variance, count)))
        means, variances, counts = table[:, :channels], table[:, channels:-1], table[:, -1:].detach()
        images = counts.sum()
        whole_mean = (counts * means).sum(0) / images
        whole_variance = (counts * (variances + (means - whole_mean) ** 2)).sum(0) / images
        if running_mean is not None and running_var is not None:
            with torch.no_grad():
                running_mean.lerp_(whole_mean.to(running_mean.dtype), momentum)
                unbiased = whole_variance * (images / (images - 1).clamp(min=1))
                running_var.lerp_(unbiased.to(running_var.dtype), momentum)
        shape = (1, channels, *(1,) * (x.ndim - 2))
        centred = wide - whole_mean.view(
            shape
        )  # first: where means are large, products of them lose the digits
        scale = torch.rsqrt(whole_variance + eps)
        if weight is not None:
            scale = scale * weight.float()
        out = centred * scale.view(shape)
        if bias is not None:
            out = out + bias.float().view(shape)
        return out.to(x.dtype)

    def _gathered(self, row: Tensor) -> Tensor:
        """The rows of all processes, [size, …]: the sum of tables that are empty but for one row each."""
        table = torch.zeros(self._size, len(row), dtype=row.dtype, device=row.device)
        summed: Tensor = _Sum.apply(
            table.index_copy(0, torch.tensor([self._number], device=row.device), row[None])
        )
        return summed


class _Sum(torch.autograd.Function):
    """The sum over processes, of which each one's loss depends on: so gradients are summed as well."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        """[…] → […]."""
        whole = own.clone()
        dist.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """The same."""
        whole = gradient.contiguous().clone()
        dist.all_reduce(whole)
        return whole

"""StochNorm: running or batch statistics, channel by channel, by chance."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from trainables.batchnorm.choice import Changed
from trainables.batchnorm.statistics import SHARE, norms_of


class Stochastic(Changed):
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

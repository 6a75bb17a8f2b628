"""The gradients of one effective batch, computed in parts that fit into memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from trainables.memory import MicroBatch, Snapshot, is_out_of_memory
from trainables.precision import Precision
from trainables.transfer.source import BoundTransfer


class Gradients:
    """Forward and backward over a batch; gradients add up in the parameters' ``.grad``.

    A batch larger than the micro-batch is split; each part counts by its share of the images, so the
    sum is the gradient of the whole. Where memory runs out the micro-batch is halved and the batch
    begun again as if nothing had happened; the effective batch never changes.

    Args:
        model: The network.
        forward: The network as it is called: itself, or compiled.
        criterion: (logits [B, C], targets [B, C]) → mean loss.
        transfer: What else is asked of the features.
        precision: Arithmetic and device.
        scaler: Loss scaling.
        micro: How many images fit.
        limited: Makes the context of a forward pass.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        forward: Callable[[Tensor], Tensor],
        criterion: Callable[[Tensor, Tensor], Tensor],
        transfer: BoundTransfer,
        precision: Precision,
        scaler: torch.amp.GradScaler,
        micro: MicroBatch,
        limited: Callable[[], Any],
    ) -> None:
        self.micro = micro
        self._model = model
        self._forward = forward
        self._criterion = criterion
        self._transfer = transfer
        self._precision = precision
        self._scaler = scaler
        self._limited = limited
        self._before = Snapshot(model, precision.device)

    def __call__(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Gradients of the mean loss over a batch.

        Args:
            inputs: [B, C, H, W], normalised.
            targets: [B, classes], rows that sum to 1.

        Returns:
            [2], detached, on the device: the loss, and the share of the targets that the network's guesses
            have, summed over the batch (the number of hits where targets are hard).

        Raises:
            DoesNotFit: Not even one image fits into memory.
        """
        self._before.take()
        while True:
            size = self.micro.size
            try:
                return self._accumulate(inputs, targets, size)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            # Outside of `except`, whose traceback would keep the failed pass's tensors alive.
            self.micro.halve(size)
            for parameter in self._model.parameters():
                parameter.grad = None
            self._before.restore()
            if self._precision.device.type == "cuda":
                torch.cuda.empty_cache()

    def _accumulate(self, inputs: Tensor, targets: Tensor, size: int) -> Tensor:
        figures = torch.zeros(2, device=inputs.device)
        for part, wanted in zip(inputs.split(size), targets.split(size), strict=True):
            share = len(part) / len(inputs)
            with self._limited(), self._precision.autocast():
                logits, extra = self._transfer.forward(self._forward, self._model, part, wanted)
            logits = logits.float()
            loss = self._criterion(logits, wanted)
            self._scaler.scale((loss + extra) * share).backward()
            guess = logits.detach().argmax(1, keepdim=True)
            figures += torch.stack((loss.detach() * share, wanted.gather(1, guess).sum()))
        return figures

"""The gradients of one effective batch, computed in parts that fit into memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import torch
from torch import Tensor, nn

from trainables.memory import MicroBatch, Snapshot, is_out_of_memory
from trainables.passes import Passes
from trainables.ranks import ONE, Ranks


class Gradients:
    """Forward and backward over a batch; gradients add up in the parameters' ``.grad``.

    A batch larger than the micro-batch is split; each part counts by its share of the images, so the
    sum is the gradient of the whole. Where memory runs out the micro-batch is halved and the batch
    begun again as if nothing had happened; the effective batch never changes.

    Args:
        model: The network.
        passes: Makes the passes over a part.
        criterion: (logits [B, C], targets [B, C]) → mean loss.
        device: Where the network is.
        scaler: Loss scaling.
        micro: How many images fit.
        ranks: The processes that share each batch.

    Attributes:
        logits: What the network made of the last batch, pass by pass, detached.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        passes: Passes,
        criterion: Callable[[Tensor, Tensor], Tensor],
        device: torch.device,
        scaler: torch.amp.GradScaler,
        micro: MicroBatch,
        ranks: Ranks = ONE,
    ) -> None:
        self.micro = micro
        self.passes = passes
        self.criterion = criterion
        self.logits: list[Tensor] = []
        self._model = model
        self._device = device
        self._scaler = scaler
        self._ranks = ranks
        self._before = Snapshot(model, device)

    def begin(self) -> None:
        """An epoch begins: the modes of layers, and which weights learn, stay as they are until the next one."""
        self.passes.begin()
        self.micro.at_most(self._ranks.least(self.micro.size))

    def __call__(self, inputs: Tensor, targets: Tensor, images: int | None = None) -> Tensor:
        """Gradients of the mean loss over a batch.

        Args:
            inputs: [B, C, H, W], normalised: this process's part of the batch.
            targets: [B, classes], rows that sum to 1.
            images: Of the whole batch; as many as there are here if not given.

        Returns:
            [2], detached, on the device: this process's part of the loss, and the share of the targets that the
            network's guesses have, summed over its images (the number of hits where targets are hard).

        Raises:
            DoesNotFit: Not even one image fits into memory.
            Smaller: Memory has run out, and several processes share the batch.
        """
        whole = len(inputs) if images is None else images
        self._before.take()
        while True:
            size = self.micro.size
            try:
                figures = self._accumulate(inputs, targets, whole, size)
                self._ranks.reduce([one for one in self._model.parameters() if one.requires_grad])
                return figures
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            # Outside of `except`, whose traceback would keep the failed pass's tensors alive.
            self._ranks.begin_anew(self.micro.halve(min(size, len(inputs))))
            for parameter in self._model.parameters():
                parameter.grad = None
            self._before.restore()
            if self._device.type == "cuda":
                torch.cuda.empty_cache()

    @torch.no_grad()
    def outputs(self, inputs: Tensor, arithmetic: AbstractContextManager[object]) -> Tensor:
        """Logits of inputs [B, …] by this process alone, in the modes that the layers are in: [B, classes], float32.

        BatchNorm's statistics follow as in any pass, and dropout draws anew.

        Args:
            inputs: As a batch's.
            arithmetic: The context of the passes.
        """
        with arithmetic:
            return torch.cat([self.passes.outputs(part).float() for part in inputs.split(self.micro.size)])

    def _accumulate(self, inputs: Tensor, targets: Tensor, images: int, size: int) -> Tensor:
        figures, self.logits = torch.zeros(2, device=inputs.device), []
        parts, wants = (self._ranks.cut(whole, images, size) for whole in (inputs, targets))
        for part, wanted in zip(parts, wants, strict=True):
            figures += self.passes(part, wanted, partial(self._judge, wanted, len(part) / images))
        return figures

    def _judge(self, wanted: Tensor, share: float, logits: Tensor, extra: Tensor) -> tuple[Tensor, Tensor]:
        """A part's scaled share of the loss, and its share of the figures, [2]."""
        logits = logits.float()
        self.logits.append(logits.detach())
        loss = self.criterion(logits, wanted)
        guess = logits.detach().argmax(1, keepdim=True)
        figures = torch.stack((loss.detach() * share, wanted.gather(1, guess).sum()))
        return self._scaler.scale((loss + extra) * share), figures

"""Looks at each step of a training: a loss or a gradient that is not finite is found where it happens."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from trainables.diagnosis.causes import Healthy, Scene, Step, explain, explain_validation
from trainables.diagnosis.kinds.divergence import LOWEST_SCALE
from trainables.gradients import Gradients
from trainables.precision import Precision
from trainables.protocol import Diverged
from trainables.ranks import ONE, Ranks

KEPT = 3
"""Steps of which a card still has the inputs when their figures come: so far it is behind as a rule."""
REMEMBERED = 20
"""Healthy steps whose figures are known when one is not."""

Watch = Callable[[Tensor, Tensor], None]
"""(Figures [2] of a step's passes, norm of its gradient) → nothing, or `Diverged`."""


def unwatched(figures: Tensor, norm: Tensor) -> None:
    """Nobody looks."""


@dataclass
class _Awaited:
    """Figures on their way from a card.

    Args:
        step: Whose.
        gradients: What made them.
        rate: The highest of the step.
        figures: Loss, norm, loss scale: [3], pinned; true once the event has come.
        come: The event.
    """

    step: Step
    gradients: Gradients
    rate: float
    figures: Tensor
    come: Any = field(repr=False)


class Watcher:
    """Watches the steps of one training.

    On a processor a step's figures are there when its gradient is, and are looked at before the optimizer steps. A card
    is not made to wait: figures are copied on its own time and looked at as they come, some steps later; by then the
    weights have gone on, but where loss scaling skips such a step.

    A step that loss scaling skips because its scale is still too high is no divergence.

    Args:
        model: The network.
        optimizer: Whose rates count.
        scaler: Loss scaling.
        precision: Arithmetic and device.
        ranks: The processes that train it. All of several look at the same figure, so that none waits for another; of a
            loss that is not finite while the gradient is they know at the epoch's end.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        precision: Precision,
        ranks: Ranks = ONE,
    ) -> None:
        self._model, self._optimizer, self._scaler = model, optimizer, scaler
        self._precision, self._ranks = precision, ranks
        self._on_card = precision.device.type == "cuda"
        self._healthy: deque[Healthy] = deque(maxlen=REMEMBERED)
        self._awaited: deque[_Awaited] = deque()
        self._length: Tensor | None = None

    def watching(self, step: Step, gradients: Gradients) -> Watch:
        """What looks at a step between its gradient and what the optimizer does with it.

        Args:
            step: Which.
            gradients: What makes its gradient.
        """
        if self._length is None:
            self._length = self._long()
        return partial(self._await if self._on_card else self._look, step, gradients)

    def _look(self, step: Step, gradients: Gradients, figures: Tensor, norm: Tensor) -> None:
        scale = self._scaler.get_scale() if not math.isfinite(size := float(norm)) else math.inf
        self._judge(step, gradients, self._rate(), float(figures[0]), size, scale)

    def _await(self, step: Step, gradients: Gradients, figures: Tensor, norm: Tensor) -> None:
        scale = self._scaler.scale(torch.ones((), device=norm.device))
        there = torch.stack((figures[0].float(), norm.float().view(()), scale))
        here = torch.empty(3, pin_memory=True).copy_(there, non_blocking=True)
        come = torch.cuda.Event()
        come.record()
        step.logits = gradients.logits
        self._awaited.append(_Awaited(step, gradients, self._rate(), here, come))
        if len(self._awaited) > KEPT:
            self._awaited[-KEPT - 1].step.forget()
        # Several processes see theirs come at different times, and must stop at the same one.
        while self._ranks.size == 1 and self._awaited and self._awaited[0].come.query():
            self._settle(self._awaited.popleft())

    def _settle(self, one: _Awaited) -> None:
        loss, norm, scale = one.figures.tolist()
        self._judge(one.step, one.gradients, one.rate, loss, norm, scale)

    def close(self, losses: Sequence[float], epoch: int) -> None:
        """An epoch's steps are over, and the device has been waited for.

        Args:
            losses: Of its steps, of all processes.
            epoch: Which.

        Raises:
            Diverged: One of them is not finite, of those not yet looked at.
        """
        while self._awaited:
            self._settle(self._awaited.popleft())
        for number, loss in enumerate(losses, start=1):
            if not math.isfinite(loss):
                found = explain_validation(self._model, epoch, list(self._healthy))
                raise Diverged("loss", epoch, number, loss, found)

    def validation(self, epoch: int, step: int, loss: float) -> None:
        """A validation loss has come.

        Raises:
            Diverged: It is not finite.
        """
        if not math.isfinite(loss):
            found = explain_validation(self._model, epoch, list(self._healthy))
            raise Diverged("validation loss", epoch, step, loss, found)

    @torch.no_grad()
    def _long(self) -> Tensor:
        return nn.utils.get_total_norm([one.detach() for one in self._model.parameters()])

    def _lengthened(self) -> float | None:
        """How many times as long weights are as at the first step; none where no process has them all."""
        if self._length is None or self._ranks.holding.in_parts:
            return None
        factor = float(self._long()) / max(float(self._length), 1e-12)
        return None if math.isnan(factor) else factor

    def _rate(self) -> float:
        return max(float(group["lr"]) for group in self._optimizer.param_groups)

    def _judge(
        self, step: Step, gradients: Gradients, rate: float, loss: float, norm: float, scale: float
    ) -> None:
        bad_loss = not math.isfinite(loss) and self._ranks.size == 1
        if not bad_loss and math.isfinite(norm):
            if math.isfinite(loss):
                self._healthy.append(Healthy(step.epoch, step.number, loss, norm, rate))
            return
        scaled = self._scaler.is_enabled()
        if not bad_loss and scaled and scale >= LOWEST_SCALE:
            return  # skipped, and the scale comes down
        if step.logits is None:
            step.logits = gradients.logits
        scene = Scene(
            model=self._model,
            gradients=gradients,
            precision=self._precision,
            ranks=self._ranks,
            rate=rate,
            scale=scale if scaled else None,
            untouched=scaled or not self._on_card,
            lengthened=self._lengthened(),
        )
        what, value = ("loss", loss) if bad_loss else ("gradient", norm)
        found = explain(what, step, list(self._healthy), scene)
        raise Diverged(what, step.epoch, step.number, value, found)

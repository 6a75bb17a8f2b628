"""Why a loss or a gradient is not finite, told by evidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainables.diagnosis.diagnosis import Diagnosis
from trainables.diagnosis.kind import Kind, Seen
from trainables.diagnosis.kinds.divergence import (
    BAD_INPUT,
    BROKEN_WEIGHTS,
    DIVERGED,
    FP16_OVERFLOW,
    GROWS,
    INFINITE_LOSS,
    LOWEST_SCALE,
    RATE_TOO_HIGH,
    SHOWN,
)
from trainables.gradients import Gradients
from trainables.precision import Precision
from trainables.ranks import Ranks


@dataclass(frozen=True)
class Healthy:
    """What a healthy step showed.

    Args:
        epoch: From 1.
        step: In the epoch, from 1.
        loss: This process's part of it.
        norm: Of the gradient, before clipping.
        rate: The highest of the step.
    """

    epoch: int
    step: int
    loss: float
    norm: float
    rate: float


@dataclass
class Step:
    """A step's work, for as long as it may have to be explained.

    Args:
        epoch: From 1.
        number: In the epoch, from 1.
        rows: Of the training split, of the whole batch, [B].
        inputs: This process's part, as the network was given it.
        targets: Likewise.
        logits: What the network made of it, pass by pass.
    """

    epoch: int
    number: int
    rows: Tensor
    inputs: Tensor | None
    targets: Tensor | None
    logits: Sequence[Tensor] | None = None

    def forget(self) -> None:
        """Give the memory back."""
        self.inputs = self.targets = self.logits = None


@dataclass(frozen=True)
class Scene:
    """Where it happened.

    Args:
        model: The network.
        gradients: What made the step's gradient.
        precision: Arithmetic and device.
        ranks: The processes that train it; all of them explain the same step at the same time.
        rate: The highest of the step.
        scale: Of the loss; none where it is not scaled.
        untouched: Whether weights still are what the step began with.
        lengthened: How many times as long weights are as when the training began here; none where nobody knows.
    """

    model: nn.Module
    gradients: Gradients
    precision: Precision
    ranks: Ranks
    rate: float
    scale: float | None
    untouched: bool
    lengthened: float | None = None


@torch.no_grad()
def explain(what: str, step: Step, healthy: Sequence[Healthy], scene: Scene) -> Diagnosis:
    """The first cause that there is evidence for, in this order: input, weights, fp16, the loss itself, the rate.

    Args:
        what: Which figure is not finite: ``loss`` or ``gradient``.
        step: When.
        healthy: Steps before it, the last one last.
        scene: Where.
    """
    for look in (_input, _weights, _overflow, _loss, _growth):
        found = look(what, step, healthy, scene)
        if found is not None:
            kind, says, figures, remedy = found
            return _told(kind, says, step.epoch, healthy, figures, remedy)
    return _told(DIVERGED, f"The {what} stopped being finite without a warning", step.epoch, healthy)


def explain_validation(model: nn.Module, epoch: int, healthy: Sequence[Healthy]) -> Diagnosis:
    """The same of a validation whose loss is not finite, after steps that were healthy."""
    if broken := _broken(model):
        says = f"After the epoch's last step {_tensors(broken, model)} not finite"
        return _told(RATE_TOO_HIGH, says, epoch, healthy, {"weights": broken[:SHOWN]})
    if (grown := _grown(healthy)) is not None:
        return _told(RATE_TOO_HIGH, grown, epoch, healthy)
    return _told(DIVERGED, "The loss is not finite, and every step's gradient was", epoch, healthy)


_Found = tuple[Kind, str, dict[str, Any], str]


def _input(what: str, step: Step, healthy: Sequence[Healthy], scene: Scene) -> _Found | None:
    """Which images are not finite as the network is given them; all processes come to know."""
    if step.inputs is None and scene.ranks.size == 1:
        return None
    flags = torch.zeros(len(step.rows), device=scene.precision.device)
    if step.inputs is not None:
        mine = scene.ranks.share(torch.arange(len(step.rows)))
        flags[mine.to(flags.device)] = (~torch.isfinite(step.inputs.flatten(1)).all(1)).float()
    bad = scene.ranks.sum(flags).cpu() > 0
    if not bool(bad.any()):
        return None
    rows = step.rows.cpu()[bad].tolist()
    says = f"{len(rows)} of the step's {len(bad)} images are not finite as the network is given them: {_rows(rows)}"
    return BAD_INPUT, says, {"rows": rows[:SHOWN], "images": len(rows)}, ""


def _weights(what: str, step: Step, healthy: Sequence[Healthy], scene: Scene) -> _Found | None:
    """Weights that were not finite before the step: as they were loaded, or by the step before."""
    broken = _broken(scene.model) if scene.untouched else []
    if not broken:
        return None
    figures = {"weights": broken[:SHOWN]}
    if not healthy:
        return (
            BROKEN_WEIGHTS,
            f"Before the first step {_tensors(broken, scene.model)} not finite",
            figures,
            "",
        )
    return RATE_TOO_HIGH, f"The step before left {_tensors(broken, scene.model)} not finite", figures, ""


def _overflow(what: str, step: Step, healthy: Sequence[Healthy], scene: Scene) -> _Found | None:
    """Outputs that are finite in fp32 and not in fp16; gradients that overflow however little they are scaled."""
    if scene.precision.name != "fp16":
        return None
    if what == "gradient" and scene.scale is not None and scene.scale < LOWEST_SCALE:
        says = f"Gradients overflow fp16 even at a loss scale of {scene.scale:.3g}"
        return FP16_OVERFLOW, says, {"loss_scale": scene.scale}, ""
    if step.inputs is None or scene.ranks.size > 1 or not _any_infinite(step.logits):
        return None  # processes that share a batch make no pass of their own
    exact = scene.gradients.outputs(step.inputs, nullcontext())
    if not bool(torch.isfinite(exact).all()):
        return None
    says = (
        "The network's outputs are finite in fp32 and not in fp16, which ends at 65504; the largest in fp32 is "
        f"{float(exact.abs().max()):.3g}"
    )
    return FP16_OVERFLOW, says, {"largest": float(exact.abs().max())}, ""


def _loss(what: str, step: Step, healthy: Sequence[Healthy], scene: Scene) -> _Found | None:
    """A loss that is not finite of outputs that are."""
    if what != "loss" or step.logits is None or step.targets is None or _any_infinite(step.logits):
        return None
    logits = torch.cat(list(step.logits))
    if len(logits) != len(step.targets):
        return None
    each = [
        float(scene.gradients.criterion(one[None].float(), wanted[None]))
        for one, wanted in zip(logits, step.targets, strict=True)
    ]
    bad = [row for row, loss in zip(step.rows.tolist(), each, strict=True) if not math.isfinite(loss)]
    which = f" for {len(bad)} of {len(each)} images: {_rows(bad)}" if bad else ""
    says = f"The loss is not finite{which}, while the network's outputs are (up to {float(logits.abs().max()):.3g})"
    return INFINITE_LOSS, says, {"rows": bad[:SHOWN], "images": len(bad)}, ""


def _growth(what: str, step: Step, healthy: Sequence[Healthy], scene: Scene) -> _Found | None:
    """Loss or gradient that grew until it was not finite any more; weights that grew out of all measure."""
    grown = _grown(healthy)
    if grown is None and scene.lengthened is not None and scene.lengthened >= GROWS:
        times = f"{scene.lengthened:.3g} times as" if math.isfinite(scene.lengthened) else "immeasurably"
        grown = f"Steps have made the weights {times} long{' as they were' if times.endswith('as') else ''}"
    return None if grown is None else (RATE_TOO_HIGH, grown, {"lr": scene.rate}, "")


def _grown(healthy: Sequence[Healthy]) -> str | None:
    for what, values in (
        ("loss", [one.loss for one in healthy]),
        ("gradient", [one.norm for one in healthy]),
    ):
        least = min(values[:-1], default=math.inf)
        if values and values[-1] >= GROWS * least > 0:
            return f"The {what} grew from {least:.3g} to {values[-1]:.3g} over the last {len(values)} healthy steps"
    return None


def _broken(model: nn.Module) -> list[str]:
    """Names of weights that are not finite."""
    return [name for name, one in model.named_parameters() if not bool(torch.isfinite(one.detach()).all())]


def _tensors(names: Sequence[str], model: nn.Module) -> str:
    count = sum(1 for _ in model.parameters())
    verb = "was" if len(names) == 1 else "were"
    return f"{len(names)} of {count} weights ({names[0]}{', …' if len(names) > 1 else ''}) {verb}"


def _any_infinite(logits: Sequence[Tensor] | None) -> bool:
    return any(not bool(torch.isfinite(one).all()) for one in logits or ())


def _rows(rows: Sequence[int]) -> str:
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return f"row{'s' * (len(rows) > 1)} {', '.join(map(str, rows[:SHOWN]))}{more} of the training split"


def _told(
    kind: Kind,
    says: str,
    epoch: int,
    healthy: Sequence[Healthy],
    figures: dict[str, Any] | None = None,
    remedy: str = "",
) -> Diagnosis:
    """The evidence, and what the last healthy step showed."""
    last = healthy[-1] if healthy else None
    before = "no step was healthy before" if last is None else (
        f"the last healthy step was {last.step} of epoch {last.epoch}: loss {last.loss:.3g}, gradient {last.norm:.3g}, "
        f"rate {last.rate:.3g}"
    )  # fmt: skip
    known = {} if last is None else {
        "healthy_epoch": last.epoch,
        "healthy_step": last.step,
        "healthy_loss": last.loss,
        "healthy_gradient": last.norm,
        "healthy_lr": last.rate,
    }  # fmt: skip
    return kind.diagnosis(Seen(f"{says}; {before}.", epoch, {**(figures or {}), **known}), remedy)

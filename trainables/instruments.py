"""What is measured in an epoch beside loss and accuracy, without making a device wait."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

MIB = 2**20

NEAR_ZERO = 1e-3
"""A weight no larger than this counts as near zero."""


class UpdateRatio:
    """How long a step of the optimizer is beside the weights that it changes: ``‖Δw‖ / ‖w‖``.

    Measured on one step an epoch, since it needs a copy of the weights. About 1e-3 is usual; far more
    tears what was learned, far less learns nothing.
    """

    def __init__(self) -> None:
        self._before: list[Tensor] = []
        self._changes: dict[nn.Parameter, tuple[Tensor, Tensor]] = {}

    @torch.no_grad()
    def begin(self, parameters: Sequence[nn.Parameter]) -> None:
        """Note the weights before the step."""
        self._before = [parameter.detach().clone() for parameter in parameters]

    @torch.no_grad()
    def end(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        """The ratio after it, 0-dim, on the weights' device; 0 where nothing learns."""
        if not self._before:
            return torch.zeros(())
        changes = torch._foreach_sub([parameter.detach() for parameter in parameters], self._before)
        self._changes = dict(zip(parameters, zip(changes, self._before, strict=True), strict=True))
        return _ratio(list(changes), self._before)

    @torch.no_grad()
    def by_group(self, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """The ratio of each group that learns, by the names of `learning_rates`. To be asked once, after `end`.

        What weight decay alone has moved is 0: a group whose gradients are 0 stands still.
        """
        groups: dict[str, list[nn.Parameter]] = {}
        for group in optimizer.param_groups:
            moved = [parameter for parameter in group["params"] if parameter in self._changes]
            if moved:
                groups.setdefault(_name_of(group), []).extend(moved)
        ratios = {}
        for name, parameters in groups.items():
            changes, before = zip(*(self._changes[parameter] for parameter in parameters), strict=True)
            gradient = nn.utils.get_total_norm([one.grad for one in parameters if one.grad is not None])
            ratios[name] = _ratio(changes, before) * (gradient != 0)
        self._changes = {}
        return ratios


def _ratio(changes: Sequence[Tensor], before: Sequence[Tensor]) -> Tensor:
    length = nn.utils.get_total_norm(list(before))
    return nn.utils.get_total_norm(list(changes)) / length.clamp(min=1e-12)


def _name_of(group: dict[str, Any]) -> str:
    return str(group["name"]).replace(" ", "_")


@torch.no_grad()
def near_zero(parameters: Iterable[nn.Parameter]) -> Tensor:
    """Share of the weights (matrices and kernels, not biases and norms) that are at most `NEAR_ZERO` in size, 0-dim."""
    weights = [parameter for parameter in parameters if parameter.ndim > 1]
    if not weights:
        return torch.zeros(())
    small = torch.stack([(weight.abs() <= NEAR_ZERO).sum() for weight in weights]).sum()
    return small / sum(weight.numel() for weight in weights)


def learning_rates(optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """``lr/<group>`` for each group by its name, and ``lr``, the largest.

    A group's two halves, with and without weight decay, share a name and a rate.
    """
    groups = optimizer.param_groups
    rates = {f"lr/{_name_of(group)}": float(group["lr"]) for group in groups}
    return {"lr": max(rates.values()), **rates}


class Laps:
    """What the seconds since `begin` went into: each lap says what was done since the one before.

    A card is given its work ahead of time, so there the times are taken by the card itself as it comes to them, and
    nothing waits for it before `seconds` is asked for.

    Args:
        device: Where the work is done.
    """

    def __init__(self, device: torch.device) -> None:
        self._card = device.type == "cuda"
        self._laps: list[tuple[str, Any]] = []

    def begin(self) -> None:
        """Forget earlier laps; the first one begins now."""
        self._laps = [("", self._now())]

    def lap(self, what: str) -> None:
        """Since the last lap, `what` was done."""
        self._laps.append((what, self._now()))

    def seconds(self) -> dict[str, float]:
        """What was done → seconds that it took, over all its laps."""
        found: dict[str, float] = {}
        if self._card:
            self._laps[-1][1].synchronize()
        for (_, before), (what, after) in pairwise(self._laps):
            took = before.elapsed_time(after) / 1000 if self._card else after - before
            found[what] = found.get(what, 0.0) + took
        return found

    def _now(self) -> Any:
        if not self._card:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event


class PeakMemory:
    """The most memory in use between `begin` and `end`: of the card, or of this process.

    Args:
        device: Where the network runs.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def begin(self) -> None:
        """Forget earlier peaks, as far as the system can."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            return
        with suppress(OSError):  # Linux: "5" resets the peak; elsewhere it is that of the process's life
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")

    def end(self) -> float:
        """The peak, MiB."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) / MIB
        try:
            for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
        except (OSError, ValueError):
            pass  # no such system
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (MIB if sys.platform == "darwin" else 1024)

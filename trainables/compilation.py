"""Whether ``torch.compile`` pays for itself, by measuring."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from trainables.precision import Precision


def compile_pays(
    make_model: Callable[[], nn.Module], batch: Tensor, precision: Precision, steps: int
) -> bool:
    """Whether compiling a network costs less than it saves over `steps` steps of training.

    Compiled and plain are timed in turn and their best rounds compared; the time of the first compiled
    step, which compiles, is the price. A network that cannot be compiled here does not pay.

    Args:
        make_model: Makes the network, in training mode, on the batch's device.
        batch: A normalised batch [B, C, H, W] of the study's size.
        precision: The arithmetic that is trained in.
        steps: Steps of one trial at full length.
    """
    plain = make_model()
    try:
        compiled = torch.compile(make_model())
        price = _step(compiled, batch, precision)
        _step(plain, batch, precision)
        rounds = [(_step(plain, batch, precision), _step(compiled, batch, precision)) for _ in range(10)]
    except Exception:  # no compiler, or one that does not know this network: each fails in its own way
        return False
    saved = min(slow for slow, _ in rounds) - min(quick for _, quick in rounds)
    return saved * steps > price


def _step(model: Callable[[Tensor], Tensor], batch: Tensor, precision: Precision) -> float:
    """Seconds of a forward and a backward pass."""
    if batch.device.type == "cuda":
        torch.cuda.synchronize(batch.device)
    began = time.perf_counter()
    with precision.autocast():
        loss = model(batch).float().square().mean()
    loss.backward()
    if batch.device.type == "cuda":
        torch.cuda.synchronize(batch.device)
    return time.perf_counter() - began

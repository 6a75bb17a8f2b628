"""Mixed precision: which arithmetic a trial runs in, with its off state a null object."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import nn

from spaces import InputError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Precision:
    """Autocast and loss scaling of one kind of arithmetic on one device.

    Args:
        name: ``fp32``, ``bf16`` or ``fp16``.
        device: Where the network runs.
    """

    name: str
    device: torch.device

    @property
    def is_mixed(self) -> bool:
        """Whether some operations are done in 16 bits."""
        return self.name != "fp32"

    def autocast(self) -> AbstractContextManager[object]:
        """The context of a forward pass; does nothing for fp32."""
        return torch.autocast(self.device.type, dtype=DTYPES[self.name], enabled=self.name != "fp32")

    def scaler(self) -> torch.amp.GradScaler:
        """Dynamic loss scaling, which fp16 needs for its narrow range; a no-op for the others.

        Source: Micikevicius et al., ICLR 2018 (arXiv:1710.03740).
        """
        return torch.amp.GradScaler(self.device.type, enabled=self.name == "fp16")


def pick_device(wish: str) -> torch.device:
    """``auto`` takes the GPU where there is one.

    Raises:
        InputError: A GPU is wished for where torch sees none.
    """
    if wish == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "device 'cuda' needs a GPU that torch can use, but there is none; use device=cpu or auto"
        )
    if wish == "auto":
        wish = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wish)


def fastest_precision(make_model: Callable[[], nn.Module], batch: torch.Tensor, rounds: int = 20) -> str:
    """Whether bf16 pays for this network on this device, by measuring both.

    bf16 halves the time of some networks on a processor that has the instructions and slows
    others down on the same processor, so no rule from the name of either can be trusted. The two
    are timed in turn and their best rounds compared; bf16 must win by a tenth to be taken.

    Args:
        make_model: Makes the network, in training mode, on the batch's device.
        batch: A normalised batch [B, C, H, W] of the study's size.
        rounds: Timed rounds of each, after one that warms up.

    Returns:
        ``bf16`` or ``fp32``; on a GPU without bf16 ``fp16``.
    """
    device = batch.device
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    best = {"fp32": float("inf"), "bf16": float("inf")}
    models = {name: make_model() for name in best}
    for round_ in range(rounds + 1):
        for name, model in models.items():
            began = time.perf_counter()
            with Precision(name, device).autocast():
                loss = model(batch).float().square().mean()
            loss.backward()
            if round_:
                best[name] = min(best[name], time.perf_counter() - began)
    return "bf16" if best["bf16"] < 0.9 * best["fp32"] else "fp32"

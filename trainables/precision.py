"""Mixed precision: which arithmetic a trial runs in, with its off state a null object."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

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


def candidates(device: torch.device) -> tuple[str, ...]:
    """The arithmetics that a device may be quick in, the usual one first.

    bf16 halves the time of some networks on a processor that has the instructions and slows others down on the same
    processor, so no rule from the name of either can be trusted; there the usual one is fp32. On a GPU it is the mixed
    one, which takes less memory too, and slows only networks that are so small that they wait for their next operation.
    """
    if device.type == "cuda":
        return ("bf16" if torch.cuda.is_bf16_supported() else "fp16", "fp32")
    return ("fp32", "bf16")

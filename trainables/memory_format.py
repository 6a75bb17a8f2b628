"""In which order images and weights of convolutions lie in memory. Torch is not imported before it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

FORMATS = ("channels_last", "channels_first")
"""The first is what a network has where nothing else is asked for or measured."""

AS_USUAL = FORMATS[0]


def torch_format(name: str) -> torch.memory_format:
    """One of `FORMATS`, as torch has it."""
    import torch

    return {"channels_last": torch.channels_last, "channels_first": torch.contiguous_format}[name]


def laid_out(images: torch.Tensor, name: str) -> torch.Tensor:
    """[B, C, H, W] → the same in that order; itself where it is in it."""
    return images.contiguous(memory_format=torch_format(name))

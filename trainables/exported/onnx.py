"""An exported network as an ONNX file, for runtimes without torch."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from spaces import InputError
from trainables.exported.exported import Exported

ONNX = "model.onnx"
NEEDED = ("onnx", "onnxscript")
"""Packages that torch's exporter needs."""


def check_onnx() -> None:
    """See that it can be written.

    Raises:
        InputError: A package is missing; the sentence says what to install.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(
            f"--onnx needs {' and '.join(NEEDED)}, but {' and '.join(missing)} cannot be imported: pip install "
            f"{' '.join(missing)}"
        )


class _Whole(nn.Module):
    """From pixels in [0, 1] to calibrated probabilities."""

    def __init__(self, exported: Exported) -> None:
        super().__init__()
        shown = exported.description.input
        self.network = exported.network
        self.temperature = exported.description.temperature
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(shown.mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(shown.std).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network((images - self.mean) / self.std)
        return (logits / self.temperature).softmax(1)


def write_onnx(exported: Exported, folder: Path) -> None:
    """Write the network as `ONNX`: ``images`` [N, C, size, size] float32 in [0, 1] → ``probabilities`` [N, classes].

    Any number of images goes through at once. Decoding and cutting to size are the caller's.

    Args:
        exported: On the processor.
        folder: Where to.

    Raises:
        InputError: See `check_onnx`; or the network does something that ONNX has no words for.
    """
    check_onnx()
    shown = exported.description.input
    some = torch.zeros(2, shown.channels, shown.size, shown.size)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's, of its own parts
            torch.onnx.export(
                _Whole(exported).eval(),
                (some,),
                folder / ONNX,
                input_names=["images"],
                output_names=["probabilities"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # of what it cannot translate, the exporter raises a dozen kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise InputError(f"--onnx needs a network that ONNX can say, but: {reason}") from None

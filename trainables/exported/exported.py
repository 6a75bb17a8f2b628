"""An exported network at work: from pictures to calibrated probabilities."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spaces import InputError
from trainables.data.batches import Split
from trainables.data.dataset import Images
from trainables.data.decoding import Raw, decode
from trainables.data.parallel import in_parallel
from trainables.evaluation import Normalise, predict
from trainables.exported.description import Description
from trainables.exported.folder import read_description, read_weights
from trainables.generators import seeded
from trainables.material import fitted
from trainables.models.network import make_network
from trainables.precision import Precision, pick_device

BATCH = 64
"""Images of a forward pass, where nobody says otherwise."""


@dataclass(frozen=True)
class Prediction:
    """What a network says of one image.

    Args:
        name: The image's path as it was given, or its number, from 0, where it was no file.
        labels: Names of the classes.
        probabilities: One a class, in their order, calibrated; empty where the image cannot be read.
        reason: Why it cannot be.
    """

    name: str
    labels: tuple[str, ...]
    probabilities: tuple[float, ...] = ()
    reason: str = ""

    def best(self, count: int = 1) -> list[tuple[str, float]]:
        """The likeliest classes with their probabilities, the first of equals first.

        Args:
            count: How many; all where there are fewer.
        """
        ranked = sorted(range(len(self.probabilities)), key=lambda label: -self.probabilities[label])
        return [(self.labels[label], self.probabilities[label]) for label in ranked[:count]]


class Exported:
    """A network and all that turns a picture into its input.

    Args:
        description: What is known of it.
        network: With its weights.
        device: Where it computes.

    Attributes:
        normalise: From [0, 1] to what the network expects.
    """

    def __init__(self, description: Description, network: nn.Module, device: torch.device) -> None:
        self.description = description
        self.network = network.to(device).eval()
        self.device = device
        self.normalise = Normalise(description.input.mean, description.input.std)

    @classmethod
    def load(cls, folder: str | Path, *, trust: bool = False, device: str = "auto") -> Exported:
        """The network of a folder that `finetune-search best --export` wrote. Nothing is downloaded.

        Args:
            folder: The folder.
            trust: Whether an architecture that is code of somebody's own (``package.module:function``) may be
                imported and run. All else is read as numbers and text.
            device: ``cpu``, ``cuda``, or ``auto`` for a GPU where there is one.

        Raises:
            InputError: It is no such folder, a file of it is damaged, or its code is not trusted.
        """
        folder = Path(folder)
        where = pick_device(device)
        description = read_description(folder)
        if description.runs_code and not trust:
            raise InputError(
                f"the network of {folder} is built by code, {description.architecture!r}, which is only run where it "
                "is trusted: add --trust (from Python: trust=True) if you know it"
            )
        return cls(description, _network(folder, description), where)

    def predict(self, images: Iterable[str | Path | Raw], batch: int = BATCH) -> Iterator[Prediction]:
        """What the network says of each image, in their order, as they are computed.

        Images are decoded and the network computes as in a study's validation, but always in fp32.

        Args:
            images: Paths of files, or what they hold: bytes, Pillow's pictures, arrays [H, W] or [H, W, C].
            batch: Images of a forward pass, at least 1.

        Raises:
            ValueError: There is no image in a batch.
        """
        if batch < 1:
            raise ValueError(f"batch must be at least 1, but got {batch}")
        waiting = iter(images)
        done = 0
        while some := list(islice(waiting, batch)):
            yield from self._predict(some, done)
            done += len(some)

    def _predict(self, images: list[str | Path | Raw], done: int) -> Iterator[Prediction]:
        decoded = in_parallel(lambda number: self._decode(images[number]), len(images), None)
        pixels = [picture for picture, _ in decoded if picture is not None]
        rows = iter(self.probabilities(self.logits(np.stack(pixels))).tolist() if pixels else [])
        for number, (image, (picture, reason)) in enumerate(zip(images, decoded, strict=True), start=done):
            name = os.fspath(image) if isinstance(image, str | Path) else str(number)
            told = tuple(next(rows)) if picture is not None else ()
            yield Prediction(name, self.description.labels, told, reason)

    def _decode(self, image: str | Path | Raw) -> tuple[NDArray[np.uint8] | None, str]:
        """Pixels [side, side, channels], or none and the reason."""
        try:
            raw = Path(image).read_bytes() if isinstance(image, str | Path) else image
        except OSError as error:
            return None, error.strerror or str(error)
        pixels, facts = decode(raw, self.description.input.preprocessing)
        return pixels, str(facts.get("reason", ""))

    def logits(self, pixels: NDArray[np.uint8]) -> Tensor:
        """What the network gives, [N, classes] float32 on its device.

        Args:
            pixels: Decoded pictures, [N, side, side, channels].
        """
        shown = self.description.input
        nothing = np.zeros(len(pixels), np.int64)
        images = Images(pixels, nothing, size=shown.size if shown.side is None else None)
        split = Split(fitted(images, shown.size, shown.crop_pct), self.device)
        return predict(self.network, split, self.normalise, Precision("fp32", self.device))

    def probabilities(self, logits: Tensor) -> Tensor:
        """Calibrated probabilities, [N, classes] float64: of the logits divided by the temperature."""
        return (logits.double() / self.description.temperature).softmax(1)


def _network(folder: Path, description: Description) -> nn.Module:
    weights = read_weights(folder)
    try:
        with seeded(0):  # whoever loads a network has random numbers of their own
            network = make_network(
                description.backbone, None, classes=description.classes, channels=description.input.channels
            )
        network.load_state_dict(weights)
    except InputError:
        raise
    except (
        TypeError,
        ValueError,
        RuntimeError,
        AssertionError,
    ) as error:  # of what timm's networks cannot be
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{folder} must hold a network and its own weights, but: {reason}") from None
    return network

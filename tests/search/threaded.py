"""A network whose pass takes as long as its threads leave it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch
from torch import Tensor, nn

SEEN = "TESTS_THREADS_SEEN"
"""Names a file in which each pass of a study writes its number of threads; not set, nothing is written."""


class Network(nn.Module):
    """Twice as fast with two threads and no faster with more; with `alone`, slower with each.

    Args:
        num_classes: Outputs.
        in_chans: Channels of images.
        alone: See above.
        drop_rate: Before its classifier.
    """

    def __init__(self, num_classes: int, in_chans: int, alone: bool = False, drop_rate: float = 0.0) -> None:
        super().__init__()
        self.drop = nn.Dropout(drop_rate)
        self.fc = nn.Linear(in_chans, num_classes)
        self._alone = alone

    def get_classifier(self) -> nn.Module:
        return self.fc

    def forward(self, images: Tensor) -> Tensor:
        threads = torch.get_num_threads()
        time.sleep(0.01 * threads if self._alone else 0.02 / min(threads, 2))
        if SEEN in os.environ:
            with Path(os.environ[SEEN]).open("a") as file:
                file.write(f"{threads}\n")
        return self.fc(self.drop(images.mean((2, 3))))

"""What a part of kind ``batchnorm`` is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar, Protocol

from torch import Tensor, nn

from spaces import InputError
from trainables.batchnorm.statistics import norms_of
from trainables.parts import Part


class BatchNorm(Protocol):
    """What is done about BatchNorm."""

    def bind(self, model: nn.Module, name: str) -> None:
        """Change a new network once; `name` is what its user calls it."""

    def prepare(self, model: nn.Module, batches: Callable[[], Iterator[Tensor]]) -> None:
        """Once before the first epoch; `batches` gives training inputs [B, C, H, W], as they are."""

    def on_epoch(self, model: nn.Module) -> None:
        """Before each epoch, after the strategy has said what learns."""


class AsBuilt(Part):
    """BatchNorm as the architecture has it."""

    def bind(self, model: nn.Module, name: str) -> None:
        """Any network will do, with BatchNorm or without."""

    def prepare(self, model: nn.Module, batches: Callable[[], Iterator[Tensor]]) -> None:
        """Nothing to prepare."""

    def on_epoch(self, model: nn.Module) -> None:
        """As the strategy has left it."""


class Changed(AsBuilt):
    """Base of the changes to BatchNorm, which need one to act on."""

    chosen_as: ClassVar[str] = ""

    def bind(self, model: nn.Module, name: str) -> None:
        """Look whether there is a BatchNorm.

        Raises:
            InputError: The model has none.
        """
        if not norms_of(model):
            raise InputError(
                f"model {name!r} has no BatchNorm, so it cannot take 'batchnorm={self.chosen_as}': "
                "set batchnorm=as_built"
            )

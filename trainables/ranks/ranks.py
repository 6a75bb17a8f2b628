"""What a trial asks of the processes that train it, and the one process that most trials have."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from torch import Tensor, nn

from trainables.data.batches import Split
from trainables.ranks.holding import ENTIRE, Holding

_here = threading.local()


class Smaller(RuntimeError):
    """Memory ran out in the middle of what all processes do together: they begin anew, with smaller micro-batches.

    Args:
        micro: Shape of the work → images of a pass that are known to fit, or are to be tried.
    """

    def __init__(self, micro: dict[tuple[object, ...], int]) -> None:
        super().__init__("memory has run out in one of the processes of a trial")
        self.micro = micro


class Ranks(Protocol):
    """The processes of one trial, as one of them sees them. All do the same in the same order.

    Attributes:
        number: Of this process, from 0; the first one writes checkpoints.
        size: How many there are.
        holding: How they hold the weights.
    """

    number: int
    size: int
    holding: Holding

    def words(self) -> tuple[object, ...]:
        """What makes this process's random numbers its own; nothing for the first."""
        ...

    def share(self, rows: Tensor) -> Tensor:
        """This process's part of a batch's rows."""
        ...

    def cut(self, own: Tensor, images: int, micro: int) -> Sequence[Tensor]:
        """This process's part of a batch, pass by pass; all processes make as many.

        Args:
            own: This process's part, [B, …].
            images: Of the whole batch.
            micro: Images of one pass at most.
        """
        ...

    def norms(
        self, context: Callable[[], AbstractContextManager[None]]
    ) -> Callable[[], AbstractContextManager[None]]:
        """The context of a forward pass, in which BatchNorm sees the passes of all processes as one batch."""
        ...

    def reduce(self, parameters: Sequence[nn.Parameter]) -> None:
        """Gradients become the sums of all processes'."""
        ...

    def sum(self, figures: Tensor) -> Tensor:
        """The sum of all processes'."""
        ...

    def least(self, number: int) -> int:
        """The smallest of all processes'."""
        ...

    def spread(self, predict: Callable[[Split], Tensor], split: Split) -> Tensor:
        """What `predict` gives for a split, row by row, [N, …]: each process asks it for a part, all get the whole."""
        ...

    def agreed(self, found: Tensor) -> Tensor:
        """What each process has computed by itself as the first one has it: machines may round differently."""
        ...

    def check(self, parameters: Sequence[nn.Parameter]) -> None:
        """Are the weights the same everywhere?

        Raises:
            RuntimeError: They are not.
        """
        ...

    def begin_anew(self, micro: dict[tuple[object, ...], int]) -> None:
        """Memory has run out in a pass of this process.

        Args:
            micro: What is to be tried next; see `Smaller`.

        Raises:
            Smaller: The pass cannot be repeated by this process alone.
        """
        ...


class One:
    """One process: all parts are the whole. See `Ranks`."""

    number, size = 0, 1
    holding: Holding = ENTIRE

    def words(self) -> tuple[object, ...]:
        """None."""
        return ()

    def share(self, rows: Tensor) -> Tensor:
        """All."""
        return rows

    def cut(self, own: Tensor, images: int, micro: int) -> Sequence[Tensor]:
        """As few passes as fit."""
        parts: Sequence[Tensor] = own.split(micro)
        return parts

    def norms(
        self, context: Callable[[], AbstractContextManager[None]]
    ) -> Callable[[], AbstractContextManager[None]]:
        """As it is."""
        return context

    def reduce(self, parameters: Sequence[nn.Parameter]) -> None:
        """They are."""

    def sum(self, figures: Tensor) -> Tensor:
        """Its own."""
        return figures

    def least(self, number: int) -> int:
        """Its own."""
        return number

    def spread(self, predict: Callable[[Split], Tensor], split: Split) -> Tensor:
        """All of it."""
        return predict(split)

    def agreed(self, found: Tensor) -> Tensor:
        """Its own."""
        return found

    def check(self, parameters: Sequence[nn.Parameter]) -> None:
        """They are."""

    def begin_anew(self, micro: dict[tuple[object, ...], int]) -> None:
        """It can."""


ONE = One()


def current_ranks() -> Ranks:
    """The processes that train what this thread builds."""
    ranks: Ranks = getattr(_here, "ranks", ONE)
    return ranks


@contextmanager
def as_one_of(ranks: Ranks) -> Iterator[None]:
    """Within it, what this thread builds is trained by all of `ranks`."""
    before = current_ranks()
    _here.ranks = ranks
    try:
        yield
    finally:
        _here.ranks = before

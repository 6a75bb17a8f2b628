"""How often the images of each class are shown."""

from __future__ import annotations

from typing import Annotated, Protocol

import torch
from pydantic import Field
from torch import Tensor

from trainables.data.batches import epoch_order, rows_of_epoch
from trainables.parts import Part


class Sampling(Protocol):
    """Which training images an epoch shows, and in which order."""

    def order(self, labels: Tensor, batch: int, repeats: int, seed: int) -> list[Tensor]:
        """The rows of each step of one epoch; it follows from the arguments alone.

        Args:
            labels: Of the training images, [N], on the processor, in [0, classes).
            batch: Effective batch size.
            repeats: Passes over the images: an epoch has as many steps as shuffled passes would have.
            seed: Seed of this epoch's order.

        Returns:
            Index tensors into `labels` of `batch` rows each, as many for every seed.
        """
        ...


class Shuffled(Part):
    """Every image equally often: the classes are seen as often as the training split has them."""

    def order(self, labels: Tensor, batch: int, repeats: int, seed: int) -> list[Tensor]:
        """Permutations of all images."""
        return epoch_order(len(labels), batch, repeats, seed)


class Balanced(Part):
    """Rare classes more often, common ones less: of an epoch class c has a share ∝ ``n_c^(1 − power)``.

    The images of a class take turns: none is shown again before all of its class have been. So an epoch
    shows each of them equally often but for one time, those of a common class perhaps not at all.

    Args:
        power: 1 shows all classes equally often, 0.5 by the square root of their size, 0 as they are; in
            [0, 1].

    Source: Kang et al., ICLR 2020 (arXiv:1910.09217), section 4.1, whose q is ``1 − power``; square roots:
    Mahajan et al., ECCV 2018 (arXiv:1805.00932).
    """

    power: Annotated[float, Field(ge=0, le=1)] = 1.0

    def order(self, labels: Tensor, batch: int, repeats: int, seed: int) -> list[Tensor]:
        """As many steps as `Shuffled` has, with the quotas of `quotas`."""
        generator = torch.Generator().manual_seed(seed)
        counts = labels.bincount()
        quotas = self.quotas(counts, rows_of_epoch(len(labels), batch, repeats), generator)
        classes = labels.argsort(stable=True).split(counts.tolist())
        turns = torch.cat(
            [_turns(rows, quota, generator) for rows, quota in zip(classes, quotas.tolist(), strict=True)]
        )
        # Where in the epoch each class is shown is drawn first, so that its images keep their turns there.
        shown = torch.repeat_interleave(quotas)
        places = shown[torch.randperm(len(shown), generator=generator)].argsort(stable=True)
        return list(torch.empty_like(turns).index_copy_(0, places, turns).split(batch))

    def quotas(self, counts: Tensor, shown: int, generator: torch.Generator) -> Tensor:
        """How many of `shown` images are of each class, [C], int64: by largest remainders.

        Args:
            counts: Training images a class, [C]; a class without any has no quota.
            shown: What the quotas add up to.
            generator: Draws between classes with equal remainders, so that none has the advantage in each
                epoch.
        """
        sizes = counts.double()
        wanted = torch.where(counts > 0, sizes ** (1.0 - self.power), 0.0)
        exact = (shown * wanted / wanted.sum()).round(decimals=9)  # so that what is equal is equal in floats
        quotas = exact.floor()
        missing = shown - int(quotas.sum())
        lot = torch.randperm(len(counts), generator=generator)
        lot = lot[counts[lot] > 0]
        largest = (exact - quotas)[lot].argsort(descending=True, stable=True)[:missing]
        quotas[lot[largest]] += 1
        return quotas.long()


def _turns(rows: Tensor, quota: int, generator: torch.Generator) -> Tensor:
    """`quota` of `rows`, by one permutation after the other."""
    rounds = -(-quota // len(rows)) if quota else 0
    permuted = [rows[torch.randperm(len(rows), generator=generator)] for _ in range(rounds)]
    return torch.cat([rows[:0], *permuted])[:quota]

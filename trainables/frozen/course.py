"""Epochs in which only the classifier learns, on stored features."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainables.course import Course
from trainables.data.batches import Split
from trainables.evaluation import BATCH, Normalise
from trainables.frozen.head import Head, features_an_image, features_of, learns_alone
from trainables.frozen.store import FeatureStore, on
from trainables.generators import seeded
from trainables.gradients import Gradients
from trainables.instruments import Laps
from trainables.precision import Precision
from trainables.ranks import Ranks
from trainables.seeds import derive_seed

LEVELS = 4
"""Augmented views are stored at so many strengths above 0, evenly spaced up to 1."""
MOST_VIEWS, FEWEST_VIEWS = 16, 2
VIEWED = 8192
"""Of one strength there are about so many views of all images together."""
MOST_BYTES = 2**32
"""Features of one strength that would be larger are not stored."""


def views_of(images: int) -> int:
    """How many views of each image there are at one strength: the fewer images, the more."""
    return max(FEWEST_VIEWS, min(MOST_VIEWS, VIEWED // max(1, images)))


class Features:
    """The features of a study's images, from the store or computed for it.

    Augmentation is random and new at each step elsewhere. Here each image has a few fixed views at a few strengths,
    and a step draws one: of the two strengths nearest to the recipe's, so often that their mean is it.

    Args:
        model: With its pretrained weights; its classifier may have learnt.
        train: What is learnt from.
        val: What validation sees.
        augment: Strength → changes of images [B, C, H, W] in [0, 1].
        normalise: From [0, 1] to what the network expects.
        precision: Arithmetic and device.
        made_from: All that decides what the features are.
    """

    def __init__(
        self,
        model: nn.Module,
        train: Split,
        val: Split,
        augment: Callable[[float], Callable[[Tensor], Tensor]],
        normalise: Normalise,
        precision: Precision,
        made_from: tuple[object, ...],
    ) -> None:
        self._model, self._train, self._val = model, train, val
        self._augment, self._normalise, self._precision = augment, normalise, precision
        self._store = FeatureStore((*made_from, precision, LEVELS, MOST_VIEWS, VIEWED))
        self._mapped: dict[str, Tensor] = {}

    def validation(self) -> Tensor:
        """Of the validation images, [N, …], on the device where it has room."""
        return self._get("val", len(self._val), lambda: self._plain(self._val))

    def level(self, level: int) -> Tensor:
        """Of the training images at strength `level` / `LEVELS`, [views · N, …]: all images, view after view."""
        views = 1 if level == 0 and not self._train.margin else views_of(len(self._train))
        return self._get(
            f"train-{level}-of-{LEVELS}",
            views * len(self._train),
            lambda: (inputs for view in range(views) for inputs in self._changed(level, view)),
        )

    def _get(self, name: str, rows: int, inputs: Callable[[], Iterator[Tensor]]) -> Tensor:
        if name not in self._mapped:
            found = self._store.get(name, rows, lambda: features_of(self._model, inputs(), self._precision))
            self._mapped[name] = on(self._precision.device, found)
        return self._mapped[name]

    def _plain(self, split: Split) -> Iterator[Tensor]:
        return (inputs for inputs, _ in self._normalise.batches(split, BATCH))

    def _changed(self, level: int, view: int) -> Iterator[Tensor]:
        """One view of all training images, the same for every trial."""
        augment = self._augment(level / LEVELS)
        rows = torch.arange(len(self._train), device=self._train.labels.device)
        for number, part in enumerate(rows.split(BATCH)):
            with seeded(derive_seed(0, "view", level, view, number), self._precision.device):
                yield self._normalise(augment(self._train.draw(part)[0]))


class Courses:
    """Chooses an epoch's course: on stored features where the classifier alone learns, else on images.

    Args:
        on_images: Progress in [0, 1] → the course on images.
        features: Of the study's images.
        head: The classifier.
        model: The network.
        train: What is learnt from.
        hard: Label → target, on the device, [classes, classes].
        strength: Progress → strength of the augmentation, in [0, 1].
        gradients: Of the classifier.
        normalise: From [0, 1] to what the network expects.
        precision: Arithmetic and device.
        ranks: The processes that train it.
    """

    def __init__(
        self,
        *,
        on_images: Callable[[float], Course],
        features: Features,
        head: Head,
        model: nn.Module,
        train: Split,
        hard: Tensor,
        strength: Callable[[float], float],
        gradients: Gradients,
        normalise: Normalise,
        precision: Precision,
        ranks: Ranks,
    ) -> None:
        self._ranks = ranks
        self._on_images, self._features, self._head, self._model = on_images, features, head, model
        self._train, self._hard, self._strength, self._gradients = train, hard, strength, gradients
        self._normalise, self._precision = normalise, precision
        self._fits: bool | None = None

    def __call__(self, progress: float, untouched: bool) -> Course:
        """The course of an epoch that begins at `progress`.

        Args:
            progress: In [0, 1).
            untouched: Whether all but the classifier still is as it was pretrained.
        """
        if untouched and learns_alone(self._model) and self._serves():
            return OnFeatures(
                self._features,
                self._head,
                self._train.labels,
                self._hard,
                self._strength(progress),
                self._gradients,
                self._ranks,
            )
        return self._on_images(progress)

    def _serves(self) -> bool:
        if self._fits is None:
            rows = torch.arange(min(2, len(self._train)), device=self._train.labels.device)
            inputs = self._normalise(self._train.take(rows)[0])
            numbers = features_an_image(self._model, inputs, self._precision)
            views = views_of(len(self._train)) * len(self._train)
            self._fits = 0 < 4 * numbers * views <= MOST_BYTES
        return self._fits


@dataclass(frozen=True)
class OnFeatures:
    """One epoch of the classifier alone. See `trainables.course.Course`.

    Args:
        features: Of the images.
        head: The classifier.
        labels: Of the training images, [N], on the device.
        hard: Label → target, on the device, [classes, classes].
        strength: Of the augmentation, in [0, 1].
        gradients: Of the classifier.
        ranks: The processes that train it.
    """

    features: Features
    head: Head
    labels: Tensor
    hard: Tensor
    strength: float
    gradients: Gradients
    ranks: Ranks

    @property
    def whole(self) -> bool:
        """Only the classifier changes."""
        return False

    def batch(self, rows: Tensor, laps: Laps) -> tuple[Tensor, Tensor]:
        """Features [B, …] of views drawn at random, and targets."""
        lower = min(LEVELS - 1, math.floor(self.strength * LEVELS))
        share = self.strength * LEVELS - lower
        below = self._drawn(lower, rows)
        if share:
            above = torch.rand(len(rows)) < share
            chosen = self._drawn(lower + 1, rows)
            mask = above.to(below.device).view(-1, *[1] * (below.ndim - 1))
            below = torch.where(mask, chosen, below)
        laps.lap("data")
        return below, self.hard[self.labels[rows.to(self.labels.device)]]

    def _drawn(self, level: int, rows: Tensor) -> Tensor:
        stored = self.features.level(level)
        views = len(stored) // len(self.labels)
        index = torch.randint(views, (len(rows),)) * len(self.labels) + rows
        return stored[index.to(stored.device)].to(self.labels.device)

    def logits(self, shown: nn.Module, weights: Mapping[str, Tensor] | None = None) -> Tensor:
        """All validation images' features through the classifier."""
        shown.eval()
        parts = self.features.validation().split(BATCH)
        logits = [self.head.evaluate(shown, part.to(self.labels.device), weights) for part in parts]
        return self.ranks.agreed(torch.cat(logits))

"""The set-up of a recipe that the project's own core trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from trainables.builder import build
from trainables.config import TrialConfig
from trainables.data.batches import Split
from trainables.evaluation import Normalise
from trainables.finetuning import FineTuning
from trainables.generators import seeded
from trainables.instruments import Laps
from trainables.material import Material
from trainables.optimizers import set_pace
from trainables.parts import PartConfig
from trainables.precision import pick_device
from trainables.preflight.setup import Change, Loop, Setup, Shown
from trainables.seeds import derive_seed

MOST = 512
"""Images of a split that are looked at."""

CHANGES = frozenset(Change) - {Change.NONE}


class CoreLoop:
    """A trial of the core, a step at a time: its own steps, in the state of its last epoch.

    There all that will ever learn is awake.

    Args:
        trial: A fresh one.
        rows: Which of its training images are row 0, 1, … here.
    """

    def __init__(self, trial: FineTuning, rows: Tensor) -> None:
        self._trial, self._rows = trial, rows
        self.model, self.optimizer = trial.model, trial.optimizer
        self._steps = 0
        self._laps = Laps(trial.precision.device)
        with seeded(derive_seed(trial.plan.seed, "preflight"), trial.precision.device):
            trial.begin(1)  # what belongs to a beginning
            self._course = trial.begin(trial.plan.epochs)

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """See `Loop.batch`; each call draws other changes, the same for the same number of steps."""
        self._steps += 1
        self._laps.begin()
        device = self._trial.precision.device
        with seeded(derive_seed(self._trial.plan.seed, "preflight", self._steps), device):
            return self._course.batch(self._rows[rows], self._laps)

    def step(self, inputs: Tensor, targets: Tensor, pace: float = 1.0) -> Tensor:
        """See `Loop.step`."""
        set_pace(self.optimizer, pace, 1.0)
        device = self._trial.precision.device
        with seeded(derive_seed(self._trial.plan.seed, "preflight step", self._steps), device):
            return self._trial.step(inputs, targets, len(inputs))[0]

    def logits(self, inputs: Tensor) -> Tensor:
        """See `Loop.logits`."""
        with torch.no_grad(), self._trial.precision.autocast():
            given: Tensor = self.model(inputs)
        return given.float()

    def train(self) -> None:
        """See `Loop.train`."""
        self._trial.parts.strategy.on_epoch(self.model, self._trial.plan.epochs)
        self._trial.parts.batchnorm.on_epoch(self.model)


def setup_of(
    config: TrialConfig, material: Material, names: Callable[[np.ndarray], Sequence[str]] | None = None
) -> Setup:
    """What a study's trial with `config` would train, ready to be looked at.

    Args:
        config: The recipe.
        material: The study's.
        names: Rows of the training split → what people call these images.

    Raises:
        InvalidParams: The recipe is none.
        InputError: The model cannot take it.
    """
    # Stored features are a short cut; what is looked at is the way that they cut.
    numerics = replace(config.numerics, stored_features=False, compile=False)
    config = replace(config, numerics=numerics)
    device = pick_device(numerics.device)
    rows = _some(len(material.train), config.seed)
    first = build(config, material)

    def make(change: Change) -> Loop:
        return CoreLoop(build(changed(config, change), material), rows)

    train, val = (
        _shown(first.normalise, Split(images, device), rows_) for images, rows_ in (
            (material.train, rows), (material.val, _some(len(material.val), config.seed))
        )
    )  # fmt: skip
    return Setup(
        make=make,
        rate=max(float(group["top_lr"]) for group in first.optimizer.param_groups),
        train=replace(train, names=tuple(names(rows.numpy())) if names else tuple(map(str, rows.tolist()))),
        val=val,
        classes=material.classes,
        pretrained=material.weights is not None and config.parts["strategy"].name != "scratch",
        batch=config.batch.size,
        changes=CHANGES,
    )


def changed(config: TrialConfig, change: Change) -> TrialConfig:
    """The recipe with one thing changed."""
    regularisation = config.regularisation
    if change is Change.NO_AUGMENTATION:
        return replace(
            config,
            regularisation=replace(regularisation, augmentation_strength=0.0),
            parts={**config.parts, "mixing": PartConfig("mixing", "none")},
        )
    if change is Change.NO_DROPOUT:
        return replace(config, regularisation=replace(regularisation, dropout=0.0, drop_path=0.0))
    if change is Change.FP32:
        return replace(config, numerics=replace(config.numerics, precision="fp32"))
    return config


def _some(images: int, seed: int) -> Tensor:
    """Rows of at most `MOST` images, in order."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "preflight rows"))
    return torch.randperm(images, generator=generator)[:MOST].sort().values


def _shown(normalise: Normalise, split: Split, rows: Tensor) -> Shown:
    images, labels = split.take(rows.to(split.labels.device))
    return Shown(normalise(images), labels)

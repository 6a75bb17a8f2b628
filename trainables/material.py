"""What all trials of a study share: images, pretrained weights, statistics. Made once, never written to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional

from spaces import InputError
from trainables.config import Fixed
from trainables.data.dataset import Dataset, Images
from trainables.data.invariances import Invariances
from trainables.data.preprocessing import Preprocessing
from trainables.data.reading import Reading
from trainables.evaluation import Normalise
from trainables.models.backbone import Backbone, Progress, Weights, code_of, find_backbone, load_weights
from trainables.models.suggested import suggested_input


@dataclass(frozen=True)
class Material:
    """Plain arrays and values, so that processes of a node share them without a copy.

    Args:
        classes: Names of the classes.
        train: What trials learn from.
        val: What they are judged by. There is no test split here: no trial can open it.
        invariances: What augmentation may do.
        repeats: Passes over the training images an epoch, as the data set suggests.
        backbone: The network to start from.
        weights: Its pretrained weights, or none.
        normalise: From [0, 1] to what the network expects.
        folds: Pairs of training and validation images, the first that of `train` and `val`; empty where
            these are the only ones.
        key: The same for the same images in the same splits, for the same network with the same weights.
    """

    classes: tuple[str, ...]
    train: Images
    val: Images
    invariances: Invariances
    repeats: int
    backbone: Backbone
    weights: Weights | None
    normalise: Normalise
    folds: tuple[tuple[Images, Images], ...] = ()
    key: str = ""

    def fold(self, number: int) -> Material:
        """What one fold's training is made of, from 0; images are normalised as in the first."""
        train, val = self.folds[number]
        return replace(self, train=train, val=val, folds=(), key=f"{self.key} fold {number}")

    def laid_out(self, memory_format: str) -> Material:
        """The same for a network whose images lie in that order in memory."""
        return replace(self, normalise=replace(self.normalise, memory_format=memory_format))

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return int(self.train.pixels.shape[-1])

    @property
    def size(self) -> int:
        """Side of the network's input, pixels."""
        return self.train.shown


def reading_of(
    fixed: Fixed, progress: Progress | None = None, tell: Callable[[str], None] = lambda text: None
) -> Reading:
    """How the pictures of a source are to be read for the network that `fixed` names.

    Args:
        fixed: The study's constants.
        progress: Told (images done, of how many) while pictures are decoded.
        tell: Told in a few words what takes long.

    Raises:
        InputError: Unknown model.
    """
    suggested = suggested_input(find_backbone(fixed))
    preprocessing = Preprocessing(
        size=fixed.image_size or suggested.size,
        crop_pct=fixed.crop_pct or suggested.crop_pct,
        channels=fixed.channels or 3,
        fit=fixed.fit,
        interpolation=fixed.interpolation or suggested.interpolation,
        window=fixed.window,
    )
    return Reading(preprocessing, fixed.val_share, fixed.test_share, fixed.duplicates, progress, tell)


def prepare(dataset: Dataset, fixed: Fixed, progress: Progress | None = None) -> Material:
    """The material of a study on `dataset` with the constants `fixed`.

    Raises:
        InputError: Unknown model, unreadable weights, or statistics of another number of channels.
    """
    backbone = find_backbone(fixed)
    size = input_size(dataset, backbone, fixed)
    folds = _fitted_folds(dataset, size, fixed.crop_pct)
    train, val = (
        folds[0]
        if folds
        else (
            fitted(dataset.train, size, fixed.crop_pct),
            fitted(dataset.val, size, fixed.crop_pct),
        )
    )
    weights = load_weights(backbone, fixed.pretrained, progress)
    normalise = normalise_for(backbone, train)
    return Material(
        classes=dataset.classes,
        train=train,
        val=val,
        invariances=replace(dataset.invariances, **fixed.invariances),  # type: ignore[arg-type]  # checked by `Fixed`
        repeats=dataset.repeats,
        backbone=backbone,
        weights=weights,
        normalise=normalise,
        folds=folds,
        key=_key(
            dataset,
            (
                train.pixels.shape[1:],
                train.size,
                fixed.fit,
                fixed.interpolation,
                fixed.window,
                fixed.crop_pct,
            ),
            (backbone, normalise.mean, normalise.std, code_of(backbone)),
            weights,
        ),
    )


def _key(
    dataset: Dataset, decoded: tuple[object, ...], network: tuple[object, ...], weights: Weights | None
) -> str:
    """See `Material.key`. How pictures were decoded is no part of a data set's fingerprint."""
    said = f"{dataset.fingerprint()} {decoded} {network}"
    state = hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16)
    for train, val in dataset.folds or [(dataset.train, dataset.val)]:
        for split in (train, val):
            state.update(split.labels.tobytes())
            state.update(b"" if split.rows is None else split.rows.tobytes())
    for name, array in (weights or {}).items():
        state.update(name.encode())
        state.update(array.tobytes())
    return state.hexdigest()


def _fitted_folds(dataset: Dataset, size: int, crop_pct: float | None) -> tuple[tuple[Images, Images], ...]:
    """The folds with images of the network's size, their pictures resized once and still shared."""
    if not dataset.folds:
        return ()
    pool = dataset.folds[0][0]
    shared = fitted(replace(pool, rows=None, labels=np.zeros(len(pool.pixels), np.int64)), size, crop_pct)
    return tuple(
        (
            replace(train, pixels=shared.pixels, size=shared.size),
            replace(val, pixels=shared.pixels, size=shared.size),
        )
        for train, val in dataset.folds
    )


def input_size(dataset: Dataset, backbone: Backbone, fixed: Fixed) -> int:
    """Side of the network's input, pixels: as asked, as the architecture insists, or the images' own."""
    return fixed.image_size or backbone.size or dataset.train.shown


def fitted(images: Images, size: int, crop_pct: float | None = None) -> Images:
    """The split with images of `size` × `size` pixels (antialiased bilinear), and the margin that it has.

    Args:
        images: From a store they have a margin already; those that are arrays have none.
        size: Side of what the network sees.
        crop_pct: Its share of the picture's side, for images without a margin; none leaves them without.
    """
    if images.size is None and crop_pct is not None:
        images = replace(images, size=max(1, round(images.pixels.shape[1] * crop_pct)))
    if images.pixels.shape[1] == images.pixels.shape[2] and images.shown == size:
        return images
    side = (
        size
        if images.size is None
        else size + 2 * round(size * (images.pixels.shape[1] / images.size - 1) / 2)
    )
    chunks = [
        functional.interpolate(
            torch.tensor(chunk).permute(0, 3, 1, 2).float(),  # may be read-only
            size=(side, side),
            mode="bilinear",
            antialias=True,
        )
        .round_()
        .clamp_(0, 255)
        .to(torch.uint8)
        for chunk in images.chunks(256)
    ]
    pixels = np.ascontiguousarray(torch.cat(chunks).permute(0, 2, 3, 1).numpy())
    return replace(images, rows=None, pixels=pixels, size=None if images.size is None else size)


def normalise_for(backbone: Backbone, train: Images) -> Normalise:
    """The statistics that the model was trained with, where they are known; else those of the images.

    Raises:
        InputError: Statistics of another number of channels.
    """
    channels = train.pixels.shape[-1]
    if backbone.mean is None or backbone.std is None:
        mean, std = train.statistics()
        return Normalise(mean, std)
    mean_, std_ = _fit(backbone.mean, channels), _fit(backbone.std, channels)
    if len(mean_) != channels or len(std_) != channels or min(std_) <= 0:
        raise InputError(
            f"mean and std need one value a channel ({channels}), std above 0, "
            f"but got mean={list(backbone.mean)}, std={list(backbone.std)}"
        )
    return Normalise(mean_, std_)


def _fit(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """Grey statistics serve every channel; colour statistics serve a grey image by their mean, and more by it too."""
    if len(values) == 1:
        return values * channels
    mean = sum(values) / len(values)
    if channels == 1:
        return (mean,)
    return values + (mean,) * (channels - len(values)) if len(values) == 3 else values

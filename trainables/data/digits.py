"""scikit-learn's handwritten digits as a few-shot task."""

from __future__ import annotations

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from trainables.data.dataset import Dataset, Images
from trainables.data.invariances import Invariances

SHOTS = 10
VALIDATION = 500
SIDE = 32


def digits(seed: int = 0) -> Dataset:
    """1,797 digits: ten a class to learn from, 500 to select by, the rest to test on.

    Args:
        seed: Seed of the split; splits are stratified by class.

    Returns:
        Images of 32×32×1, the 8×8 originals enlarged bilinearly. Neither flip keeps a digit's label.

    Source: the optical recognition of handwritten digits data set (Alpaydin & Kaynak, UCI, 1998), as
    `sklearn.datasets.load_digits` ships it.
    """
    raw = load_digits()
    labels = raw.target.astype(np.int64)
    pixels = np.stack([_enlarge(image) for image in raw.images])[..., None]
    everything = np.arange(len(labels))
    train, rest = train_test_split(
        everything, train_size=SHOTS * 10, stratify=labels, random_state=seed, shuffle=True
    )
    val, test = train_test_split(rest, train_size=VALIDATION, stratify=labels[rest], random_state=seed)
    return Dataset(
        name="digits",
        classes=tuple(str(digit) for digit in range(10)),
        train=Images(pixels[train], labels[train]),
        val=Images(pixels[val], labels[val]),
        test=Images(pixels[test], labels[test]),
        invariances=Invariances(horizontal_flip=False, vertical_flip=False, rotation=25.0, crop=False),
        repeats=5,
    )


def _enlarge(image: np.ndarray) -> np.ndarray:
    grey = Image.fromarray((image * (255 / 16)).round().astype(np.uint8))
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR))

"""The test split: only this module ever measures on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spaces import Params
from trainables.config import Fixed, TrialConfig
from trainables.data.batches import Split
from trainables.data.dataset import Images
from trainables.evaluation import predict
from trainables.material import Material, fitted
from trainables.precision import Precision, pick_device
from trainables.restoring import restored
from trainables.soundness.judging import judge
from trainables.soundness.soundness import Soundness


@dataclass(frozen=True)
class Opened:
    """What was seen of one network on the test split.

    Args:
        right: Which images it is right on: 0 or 1 for each, in their order.
        soundness: How good it is beyond that; none where its outputs are not finite.
    """

    right: bytes
    soundness: Soundness | None


def open_test(
    images: Images,
    classes: Sequence[str],
    weights: Mapping[str, Tensor],
    params: Params,
    fixed: Fixed,
    seed: int,
    material: Material,
) -> Opened:
    """See what a trial's weights are worth on `images`. What can be chosen is chosen on the validation images.

    Args:
        images: The test split as the data set has it.
        classes: Names of the classes.
        weights: Of the best epoch.
        params: The trial's recipe.
        fixed: The study's constants, every ``auto`` decided.
        seed: The trial's.
        material: The study's.

    Raises:
        ValueError: The weights are another network's.
    """
    config = TrialConfig.from_params(params, fixed, seed)
    device = pick_device(config.numerics.device)
    model = restored(weights, config, material)
    model.to(device)
    precision = Precision(config.numerics.precision, device)
    test = Split(fitted(images, material.size, fixed.crop_pct), device)
    val = Split(material.val, device)
    with torch.inference_mode():
        logits, chosen = (predict(model, split, material.normalise, precision).cpu() for split in (test, val))
    labels = test.labels.cpu()
    return Opened(
        right=bytes((logits.argmax(1) == labels).to(torch.uint8).tolist()),
        soundness=judge(logits, labels, chosen, val.labels.cpu(), classes),
    )

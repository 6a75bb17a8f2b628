"""The test split: only this module ever measures on it."""

from __future__ import annotations

from collections.abc import Mapping

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


def right_on(
    images: Images,
    weights: Mapping[str, Tensor],
    params: Params,
    fixed: Fixed,
    seed: int,
    material: Material,
) -> bytes:
    """Which of `images` a trial's weights are right on: 0 or 1 for each, in their order.

    Args:
        images: The test split as the data set has it.
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
    split = Split(fitted(images, material.size, fixed.crop_pct), device)
    with torch.inference_mode():
        logits = predict(model, split, material.normalise, Precision(config.numerics.precision, device))
    return bytes((logits.argmax(1) == split.labels).to("cpu", torch.uint8).tolist())

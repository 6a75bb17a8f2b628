"""What a pretrained network sees in each image of a store: the features that its classifier would be given."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spaces import InputError
from trainables.config import Fixed
from trainables.data.batches import Split
from trainables.data.dataset import Images
from trainables.data.parallel import Progress
from trainables.data.store import Store
from trainables.data.store.layout import PARTS
from trainables.evaluation import Normalise
from trainables.material import normalise_for
from trainables.models.backbone import Backbone, find_backbone, load_weights
from trainables.models.network import make_network
from trainables.precision import pick_device
from trainables.transfer.features import with_features

BATCH = 64


def features_of(store: Store, fixed: Fixed, progress: Progress | None = None) -> NDArray[np.float32]:
    """Features of each image, [N, F]; of those that cannot be read, not a number.

    Args:
        store: The pictures, prepared for the model.
        fixed: Names model and weights.
        progress: Told (images done, of how many).

    Raises:
        InputError: Unknown model, or no pretrained weights: features of a random network say nothing.
    """
    backbone = find_backbone(fixed)
    weights = load_weights(backbone, fixed.pretrained)
    if weights is None:
        raise InputError("features need pretrained weights, but pretrained=false")
    device = pick_device(fixed.device)
    model = make_network(backbone, weights, classes=2, channels=store.preprocessing.channels)
    model.to(device).eval()
    with torch.inference_mode():
        return _passed(store, backbone, model, device, progress)


def _passed(
    store: Store, backbone: Backbone, model: nn.Module, device: torch.device, progress: Progress | None
) -> NDArray[np.float32]:
    """All readable images once through the network."""
    found: NDArray[np.float32] | None = None
    readable, done = store.facts.readable, 0
    for part, pictures in store.files.items():
        chosen = np.flatnonzero(readable & (store.parts == PARTS.index(part)))
        if not len(chosen):
            continue
        images = Images(pictures, store.listing.labels[chosen], store.rows[chosen], store.preprocessing.size)
        normalise: Normalise = normalise_for(backbone, images)
        for rows, (inputs, _) in zip(
            np.array_split(chosen, range(BATCH, len(chosen), BATCH)),
            normalise.batches(Split(images, device), BATCH),
            strict=True,
        ):
            _, features = with_features(model, model, inputs)
            if found is None:
                found = np.full((len(readable), features.shape[1]), np.nan, np.float32)
            found[rows] = features.float().cpu().numpy()
            done += len(rows)
            if progress is not None:
                progress(done, int(readable.sum()))
    assert found is not None  # the caller has seen that some can be read
    return found

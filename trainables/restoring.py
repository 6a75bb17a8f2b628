"""A trial's network as its training left it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from trainables.builder import network
from trainables.config import TrialConfig
from trainables.material import Material


def restored(weights: Mapping[str, Tensor], config: TrialConfig, material: Material) -> nn.Module:
    """The whole network of a trial with its best weights.

    Args:
        weights: Of the best epoch; of a trial that trained its head alone only the head's. The others are those that
            the network was made with.
        config: The trial's.
        material: The study's.

    Raises:
        ValueError: The weights are another network's.
    """
    model = network(config, material)
    unknown = model.load_state_dict(dict(weights), strict=False).unexpected_keys
    if unknown or not weights:
        raise ValueError(
            f"the weights must be those of the trial's network, but {unknown or 'none'} are there"
        )
    return model

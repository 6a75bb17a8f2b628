"""An architecture of one's own: MobileNetV1 at a quarter of its width, which timm can build but does not list.

    finetune-search run --data photos/ --model examples.quarter_mobilenet:quarter_mobilenet \
        --set pretrained=mobilenetv1_025.safetensors --set mean=[0.5,0.5,0.5] --set std=[0.5,0.5,0.5]

Such a function takes what timm's architectures take (``num_classes``, ``in_chans``, ``drop_rate`` and
``drop_path_rate`` where a space searches them) and returns a module with timm's methods: `get_classifier` for
every strategy, `group_matcher` for those that treat layers differently.
"""

from __future__ import annotations

from typing import Any

from timm.models.efficientnet import _gen_mobilenet_v1
from torch import nn


def quarter_mobilenet(**arguments: Any) -> nn.Module:
    """0.47 M parameters. ``pad_type="same"`` is how weights that come from TensorFlow were trained."""
    model: nn.Module = _gen_mobilenet_v1(
        "mobilenetv1_100", channel_multiplier=0.25, pretrained=False, **{"pad_type": "same", **arguments}
    )
    return model

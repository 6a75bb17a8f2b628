"""Pretrained weights from timm's hub: from its cache, or fetched where there is network."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
import timm
from numpy.typing import NDArray

from spaces import InputError

if TYPE_CHECKING:
    from trainables.models.backbone import Backbone

FILES = ("model.safetensors", "pytorch_model.bin")
"""What a model's weights are called on the hub, the first that is there."""

PATIENCE = 5.0
"""Seconds that the hub has to answer before it counts as away: its own library tries for a minute."""


def fetch_weights(backbone: Backbone) -> Mapping[str, NDArray[np.generic]]:
    """The weights that timm names for an architecture.

    Raises:
        InputError: There are none, or they are neither in the cache nor can be fetched; the sentence names the
            file that would do.
    """
    cfg = timm.get_pretrained_cfg(backbone.architecture)
    if cfg is None or not cfg.has_weights:
        raise InputError(
            f"timm has no pretrained weights of {backbone.name!r}: give a file with pretrained=PATH, or "
            "pretrained=false"
        )
    if cfg.hf_hub_id and not _in_cache(cfg.hf_hub_id) and not _answers():
        raise InputError(_away(backbone, cfg.hf_hub_id, "the hub does not answer"))
    try:
        model = timm.create_model(backbone.architecture, pretrained=True, **backbone.arguments)
    except (OSError, RuntimeError, ValueError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(_away(backbone, cfg.hf_hub_id or cfg.url or "", said)) from None
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def _away(backbone: Backbone, place: str, said: str) -> str:
    return (
        f"the pretrained weights of {backbone.name!r} could not be fetched ({said}); fetch {FILES[0]} of {place} "
        "on a machine with network and name it with --set pretrained=FILE, or do without: --set pretrained=false"
    )


def _in_cache(hub_id: str) -> bool:
    """Whether an earlier study, or anything else on this machine, has fetched them."""
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(hub_id, name), str) for name in FILES)


def _answers() -> bool:
    """Whether the hub can be reached; where a proxy stands between, its library shall find out."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    if any(os.environ.get(name) for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")):
        return True
    address = urlsplit(constants.ENDPOINT)
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname or "", port), timeout=PATIENCE).close()
    except OSError:
        return False
    return True

"""What a model's name stands for: an architecture, its weights, and the statistics they were trained with."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TypeAlias

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from spaces import InputError
from trainables.config import Fixed
from trainables.models import glyphs

Weights: TypeAlias = Mapping[str, NDArray[np.generic]]
Progress: TypeAlias = Callable[[int, int], None]
"""Called with (done, of how many)."""


@dataclass(frozen=True)
class Backbone:
    """A network to start from.

    Args:
        name: As the user called it.
        architecture: timm's name.
        arguments: Further arguments of the architecture.
        size: Side of the input, pixels, where the architecture insists on one.
        mean: What the weights were trained with, a value a channel; none if that is unknown.
        std: Likewise.
    """

    name: str
    architecture: str
    arguments: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    size: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


def find_backbone(fixed: Fixed) -> Backbone:
    """The backbone that `fixed.model` names; nothing is loaded or downloaded.

    Raises:
        InputError: There is no such built-in and no such timm architecture; the closest are named.
    """
    if fixed.model == glyphs.NAME:
        backbone = Backbone(glyphs.NAME, glyphs.ARCHITECTURE, mean=(glyphs.MEAN,), std=(glyphs.STD,))
    elif timm.is_model(fixed.model):
        cfg = timm.get_pretrained_cfg(fixed.model)
        known = cfg is not None and fixed.pretrained is True
        backbone = Backbone(
            fixed.model,
            fixed.model,
            size=cfg.input_size[-1] if cfg is not None and cfg.fixed_input_size else None,
            mean=tuple(cfg.mean) if known else None,
            std=tuple(cfg.std) if known else None,
        )
    else:
        names = [glyphs.NAME, *timm.list_models()]
        close = get_close_matches(fixed.model, names, n=3) or names[:1]
        raise InputError(
            f"model must be {glyphs.NAME!r} or an architecture of timm, but got {fixed.model!r}; "
            f"close: {', '.join(close)}"
        )
    return replace(
        backbone,
        arguments=dict(fixed.model_args),
        mean=fixed.mean or backbone.mean,
        std=fixed.std or backbone.std,
    )


def load_weights(
    backbone: Backbone, pretrained: bool | str, progress: Progress | None = None
) -> Weights | None:
    """The weights that `pretrained` asks for, as arrays that processes can share.

    Args:
        backbone: Whose weights.
        pretrained: True for the model's own, false for none, a path for a file's.
        progress: Told how far the making of built-in weights has come.

    Raises:
        InputError: A file that is missing or is no weights, or weights that cannot be fetched.
    """
    if pretrained is False:
        return None
    if isinstance(pretrained, str):
        return _from_file(Path(pretrained).expanduser())
    if backbone.name == glyphs.NAME:
        made: Weights = load_file(glyphs.ensure_weights(progress))
        return made
    try:
        model = timm.create_model(backbone.architecture, pretrained=True, **backbone.arguments)
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"the pretrained weights of {backbone.name!r} could not be fetched "
            f"({str(error).strip().splitlines()[0]}); give a file with pretrained=PATH, or pretrained=false"
        ) from None
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def _from_file(path: Path) -> Weights:
    if not path.is_file():
        raise InputError(f"pretrained must be true, false or a file of weights, but there is no file {path}")
    try:
        if path.suffix == ".safetensors":
            weights: Weights = load_file(path)
            return weights
        state = torch.load(path, map_location="cpu", weights_only=True)  # never runs code from the file
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, _unpickling()) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"pretrained={os.fspath(path)} is not a readable file of weights: {reason}"
        ) from None
    for key in ("state_dict", "model", "state_dict_ema"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise InputError(f"pretrained={os.fspath(path)} must hold a dictionary of tensors")
    return {name.removeprefix("module."): tensor.float().numpy() for name, tensor in state.items()}


def _unpickling() -> type[Exception]:
    import pickle  # the error's class only: nothing is unpickled but what `weights_only` allows

    return pickle.UnpicklingError

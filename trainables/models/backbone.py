"""What a model's name stands for: an architecture, its weights, and the statistics they were trained with."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TypeAlias

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from spaces import InputError, locate
from trainables.config import Fixed
from trainables.models import glyphs
from trainables.models.hub import fetch_weights
from trainables.models.own_code import fingerprint_of

Weights: TypeAlias = Mapping[str, NDArray[np.generic]]
Progress: TypeAlias = Callable[[int, int], None]
"""Called with (done, of how many)."""


@dataclass(frozen=True)
class Backbone:
    """A network to start from.

    Args:
        name: As the user called it.
        architecture: timm's name, or ``package.module:function`` of the user's own.
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
        InputError: There is no such built-in and no such timm architecture (the closest are named), or
            two sizes of its input are asked for.
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
    elif ":" in fixed.model:
        locate(fixed.model)
        backbone = Backbone(fixed.model, fixed.model)
    else:
        names = [glyphs.NAME, *timm.list_models()]
        close = get_close_matches(fixed.model, names, n=3) or names[:1]
        raise InputError(
            f"model must be {glyphs.NAME!r}, an architecture of timm or a 'package.module:function' of your own, "
            f"but got {fixed.model!r}; "
            f"close: {', '.join(close)}"
        )
    arguments = dict(fixed.model_args)
    asked = arguments.get("img_size", fixed.image_size)
    if backbone.size is not None and isinstance(asked, int) and asked != backbone.size:
        # A transformer has one size of input for ever: it is built for the size that is asked for.
        backbone = replace(backbone, size=asked)
        arguments["img_size"] = asked
    if "img_size" in arguments and fixed.image_size not in (None, asked):
        raise InputError(
            f"`image_size == model_args.img_size` must hold, but got image_size={fixed.image_size}, "
            f"img_size={asked}"
        )
    return replace(
        backbone,
        arguments=arguments,
        mean=fixed.mean or backbone.mean,
        std=fixed.std or backbone.std,
    )


def code_of(backbone: Backbone) -> str:
    """What the architecture's code is: versions of the libraries, and of a user's own the text of its files."""
    said = f"torch {torch.__version__} timm {timm.__version__}"
    if ":" not in backbone.architecture:
        return said
    return f"{said} {fingerprint_of(locate(backbone.architecture))}"


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
        return _from_file(glyphs.ensure_weights(progress))
    if ":" in backbone.architecture:
        raise InputError(
            f"the weights of {backbone.name!r} must be named, since nobody else knows them: give a file with "
            "pretrained=PATH, or pretrained=false"
        )
    return fetch_weights(backbone)


def weights_fingerprint(weights: Weights | None) -> str:
    """The same for the same weights, 24 hexadecimal digits."""
    state = hashlib.blake2b(digest_size=12)
    for name, array in sorted((weights or {}).items()):
        state.update(f"{name}\0{array.dtype}{array.shape}".encode())
        state.update(array.tobytes())
    return state.hexdigest()


def _from_file(path: Path) -> Weights:
    if not path.is_file():
        raise InputError(f"pretrained must be true, false or a file of weights, but there is no file {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, about pickles that it then refuses
            if path.suffix == ".safetensors":
                state = load_file(path)
            else:
                state = torch.load(path, map_location="cpu", weights_only=True)  # never runs its code
    except MemoryError:
        raise  # says nothing about the file
    except Exception as error:  # of a file that is something else, torch raises a dozen kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"pretrained={os.fspath(path)} is not a readable file of weights: {reason}"
        ) from None
    for key in ("state_dict", "model", "state_dict_ema"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise InputError(f"pretrained={os.fspath(path)} must hold a dictionary of tensors")
    return {name.removeprefix("module."): _array(tensor) for name, tensor in state.items()}


def _array(tensor: torch.Tensor) -> NDArray[np.generic]:
    """As an array: numpy has no bfloat16, and parameters are saved with their gradients' flag."""
    tensor = tensor.detach()
    array: NDArray[np.generic] = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return array

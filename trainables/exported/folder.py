"""The files of an exported network: written, and read without running anything that is in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from spaces import InputError
from spaces.laws import broken_law
from trainables.exported.description import FORMAT, Description, Input, Source
from trainables.whole import write_whole

MODEL, WEIGHTS = "model.json", "model.safetensors"


def write_network(folder: Path, description: Description, network: nn.Module) -> None:
    """Write both files.

    Args:
        folder: Where to.
        description: What is known of it.
        network: Whose weights and buffers are written, all of them.

    Raises:
        OSError: The disk is full or the folder cannot be written.
    """
    # Each for itself: weights that share memory, or lie in another order, are nothing that the format has.
    tensors = {
        name: tensor.detach().cpu().clone().contiguous() for name, tensor in network.state_dict().items()
    }
    text = json.dumps(description.model_dump(mode="json"), indent=2) + "\n"
    write_whole(folder / WEIGHTS, lambda file: file.write(save(tensors, {"format": "pt"})))
    write_whole(folder / MODEL, lambda file: file.write(text.encode()))


def read_description(folder: Path) -> Description:
    """What the folder says of its network.

    Raises:
        InputError: It is no such folder, its file is damaged, or a later version of the project wrote it.
    """
    path = folder / MODEL
    try:
        written: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"a model must be a folder that `best --export` wrote, but {path}: {error.strerror or error}"
        ) from None
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} must be a description of a network in JSON, but: {reason}") from None
    if not isinstance(written, dict):
        raise InputError(f"{path} must hold a JSON object, but holds a {type(written).__name__}")
    if written.get("format") != FORMAT:
        raise InputError(
            f"{path} must be of format {FORMAT}, which this version of finetune-search reads, but is of format "
            f"{written.get('format')!r}"
        )
    try:
        return Description.model_validate(written)
    except ValidationError as error:
        fields = {**Source.model_fields, **Input.model_fields, **Description.model_fields}
        raise InputError(f"{path}: {broken_law(error, fields)[1]}") from None


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The weights, by name.

    Raises:
        InputError: The file is missing or damaged.
    """
    path = folder / WEIGHTS
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except OSError as error:
        raise InputError(f"{path} must be there, but: {error.strerror or 'it cannot be read'}") from None
    except SafetensorError as error:
        raise InputError(f"{path} must be a file of weights, but: {error}") from None
    return tensors

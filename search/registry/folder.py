"""The folder that MLflow loads a network from: what `best --export` writes, and the code that it takes.

There is no pickle in it. The code lies there as text, so that the network can be used where this project is not
installed, and as it was when the study ran.
"""

from __future__ import annotations

import io
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

import spaces
import trainables
from search.export.snippet import MODES
from trainables.exported import Description, served

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature

NEEDED = (
    "filelock",
    "huggingface-hub",
    "imagehash",
    "numpy",
    "pandas",
    "pillow",
    "platformdirs",
    "pydantic",
    "pyyaml",
    "safetensors",
    "scipy",
    "timm",
    "torch",
    "torchvision",
)
"""Packages that a network's code imports before it can predict; MLflow names itself."""

STRAYS = ("uv.lock", "pyproject.toml", ".python-version")
"""Files of the working folder that MLflow puts beside any model where it finds them."""


def write_model(folder: Path, exported: Path, description: Description, model: LoggedModel) -> None:
    """Write a model of MLflow's flavor `pyfunc`. Nothing is loaded for it, and nothing is asked of any network.

    Args:
        folder: A new one.
        exported: The folder of the network; a copy of it becomes the model's data.
        description: Of the network.
        model: As MLflow has it so far.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    import pandas

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's, of type hints in its own code, at its import
        from mlflow import pyfunc
        from mlflow.models import Model

        pyfunc.save_model(
            folder,
            loader_module=served.__name__,
            data_path=exported,
            code_paths=[str(Path(str(package.__file__)).parent) for package in (trainables, spaces)],
            mlflow_model=Model(
                artifact_path=model.artifact_location,
                run_id=model.source_run_id,
                model_uuid=model.model_id,
                model_id=model.model_id,
            ),
            signature=signature(),
            input_example=pandas.DataFrame({served.IMAGE: [example(description)]}),
            pip_requirements=requirements(),
        )
    for name in STRAYS:
        (folder / name).unlink(missing_ok=True)


def signature() -> ModelSignature:
    """What goes in and what comes out, in MLflow's words."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Array, ColSpec, DataType, Schema

    comes = {
        served.LABEL: DataType.string,
        served.PROBABILITY: DataType.double,
        served.PROBABILITIES: Array(DataType.double),
        served.REASON: DataType.string,
    }
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.binary, served.IMAGE)]),
        outputs=Schema([ColSpec(kind, name) for name, kind in comes.items()]),
    )


def example(description: Description) -> bytes:
    """A picture's file for MLflow to show: one colour, the mean of the images that the network's weights know.

    None of the study's own images: who may see a model may not for that see what it was trained on.

    Args:
        description: Of the network.
    """
    shown = description.input
    side = shown.preprocessing.side
    colour = np.round(np.clip(shown.mean, 0, 1) * 255).astype(np.uint8)
    pixels = np.broadcast_to(colour, (side, side, shown.channels))
    file = io.BytesIO()
    if shown.channels in MODES:
        Image.fromarray(np.ascontiguousarray(pixels.squeeze())).save(file, "PNG")
    else:
        np.save(file, pixels)
    return file.getvalue()


def requirements() -> list[str]:
    """For pip: what is installed here. Which build of it (``+cpu``, say) is the machine's business that loads it."""
    return [f"{name}=={version(name).partition('+')[0]}" for name in NEEDED]

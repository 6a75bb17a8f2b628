"""A recipe: all that one training run needs, as YAML that a person can read and `train` can run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from search.spec import StudySpec
from spaces import InputError, Params
from spaces.document import read_document
from trainables.config import Fixed


class Recipe(BaseModel):
    """One training run, written down.

    Args:
        data: The data set's name.
        split_seed: Of its split.
        seed: Of the training.
        settings: What a study held constant.
        params: What it searched, as a space draws it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str
    split_seed: Annotated[int, Field(ge=0)] = 0
    seed: Annotated[int, Field(ge=0)] = 0
    settings: Fixed = Field(default_factory=Fixed)
    params: dict[str, str | int | float | bool]


def recipe_of(spec: StudySpec, params: Params) -> str:
    """The recipe of one of a study's trials, as YAML."""
    settings = spec.fixed().model_dump(exclude_defaults=True)
    kept = {name: value for name, value in settings.items() if name not in params}
    recipe: dict[str, Any] = {
        "data": spec.data,
        "split_seed": spec.split_seed,
        "settings": {"model": spec.model, "epochs": spec.epochs, **kept},
        "params": dict(params),
    }
    text: str = yaml.safe_dump(recipe, sort_keys=False)
    return text


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe.

    Raises:
        InputError: The file is missing or is no recipe; the sentence says where.
    """
    document = read_document(Path(path))
    try:
        return Recipe.model_validate(document.data)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        line = document.line(tuple(first["loc"]))
        raise InputError(
            f"{Path(path).name}, line {line}: {name}: {first['msg'][0].lower()}{first['msg'][1:]}, "
            f"but got {first['input']!r}"
        ) from None

"""A recipe: all that one training run needs, as YAML that a person can read and `train` can run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from search.spec import OWN_CORE, StudySpec
from spaces import InputError, Params
from spaces.document import read_document, write_document
from spaces.errors import shown
from spaces.laws import broken_law
from trainables.config import MEASURED, Fixed


class Recipe(BaseModel):
    """One training run, written down.

    Args:
        data: The data set's name.
        split_seed: Of its split.
        folds: Parts of train and val, each of which judges a training on the others.
        holdouts: Splits of train and val that are drawn anew, likewise.
        seed: Of the training.
        threads: Of torch; another number sums in another order, and so gives other last digits.
        trainable: Who trains: ``package.module:attribute``.
        settings: What a study held constant.
        params: What it searched, as a space draws it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    data: str
    split_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    folds: Annotated[int, Field(ge=1)] = 1
    holdouts: Annotated[int, Field(ge=1)] = 1
    seed: Annotated[int, Field(ge=0)] = 0
    threads: Annotated[int, Field(ge=1)] = 1
    trainable: str = OWN_CORE
    settings: Fixed = Field(default_factory=Fixed)
    params: dict[str, str | int | float | bool]


def recipe_of(
    spec: StudySpec, params: Params, *, seed: int | None = None, settled: Mapping[str, Any] | None = None
) -> str:
    """The recipe of one of a study's trials, as YAML; for the arguments see `recipe_data`."""
    return write_document(recipe_data(spec, params, seed=seed, settled=settled))


def recipe_data(
    spec: StudySpec, params: Params, *, seed: int | None = None, settled: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The recipe of one of a study's trials, as JSON has it.

    Args:
        spec: The study.
        params: The trial's.
        seed: The trial's own.
        settled: What the study has decided where its spec says ``auto``. All of it goes into the recipe but
            the device, so that a recipe found on a GPU can be trained without one.
    """
    settings = spec.fixed().model_dump(mode="json", exclude_defaults=True)
    settings = {"model": spec.model, "epochs": spec.epochs, **settings}
    for name in MEASURED:
        if name != "device" and settled is not None and name in settled and getattr(spec, name) == "auto":
            settings[name] = settled[name]
    recipe: dict[str, Any] = {"data": spec.data, "split_seed": spec.split_seed}
    for name in ("folds", "holdouts"):
        if getattr(spec, name) > 1:
            recipe[name] = getattr(spec, name)
    if seed is not None:
        recipe["seed"] = seed
    if spec.threads != 1:
        recipe["threads"] = spec.threads
    if spec.trainable != OWN_CORE:
        recipe["trainable"] = spec.trainable
    recipe["settings"] = {name: value for name, value in settings.items() if name not in params}
    recipe["params"] = dict(params)
    return recipe


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe.

    Raises:
        InputError: The file is missing or is no recipe; the sentence says where.
    """
    document = read_document(Path(path))
    if not isinstance(document.data, dict):
        raise InputError(f"{document.source}: a recipe must be a mapping, but got {shown(document.data)}")
    try:
        return Recipe.model_validate(document.data)
    except ValidationError as error:
        place, law = broken_law(error, {**Fixed.model_fields, **Recipe.model_fields})
        raise InputError(f"{document.source}, line {document.line(place)}: {law}") from None

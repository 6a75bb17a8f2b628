"""A recipe laid out flat: everything that decides its training, by one name each, wherever it is written."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from search.recipe import Recipe
from search.spec import OWN_CORE
from spaces import InvalidParams
from spaces.laws import broken_law
from trainables.config import KNOBS, Fixed, TrialConfig
from trainables.parts import PARTS, PartConfig, part_class

MAPPINGS = ("model_args", "invariances")
"""Settings that hold several things."""


def flat(recipe: Recipe) -> dict[str, Any]:
    """Name → value: settings, numbers, the part of each kind, and those of its options that are given.

    For the project's own core it is the same whether a recipe has a value among its settings or its parameters. A
    trainable of the user's own may read both as it likes: there each has its name as it stands.

    Raises:
        InputError: The recipe cannot be one.
    """
    settings = recipe.settings.model_dump()
    if recipe.trainable != OWN_CORE:
        held = {name: value for name, value in settings.items() if name not in recipe.params}
        return {"trainable": recipe.trainable, **_unfolded(held, (*MAPPINGS, "options")), **recipe.params}
    config = TrialConfig.from_params(recipe.params, recipe.settings)
    knobs = {name: value for name, value in recipe.params.items() if name in KNOBS}
    try:
        merged = Fixed.model_validate({**settings, **knobs}).model_dump()
    except ValidationError as error:
        raise InvalidParams(broken_law(error, Fixed.model_fields)[1]) from None
    found = {name: value for name, value in merged.items() if name not in {*PARTS, "options"}}
    found = {"trainable": recipe.trainable, **_unfolded(found, MAPPINGS)}
    for kind, part in config.parts.items():
        found[kind] = part.name
        found |= {f"{kind}.{part.name}.{option}": value for option, value in part.options.items()}
    return found


def _unfolded(settings: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Settings with each entry of a mapping by a name of its own."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if name in names:
            found |= {f"{name}.{key}": entry for key, entry in value.items()}
        else:
            found[name] = value
    return found


def default_of(name: str) -> Any:
    """What a part takes for an option that is not given; none where it has no default, or `name` is no option."""
    kind, _, rest = name.partition(".")
    part, _, option = rest.rpartition(".")
    if kind not in PARTS or not part:
        return None
    field = part_class(PartConfig(kind, part)).model_fields.get(option)
    return None if field is None or field.is_required() else field.default

"""One of the two recipes of a comparison, and what is typed for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.overview import load_study
from search.recipe import Recipe, load_recipe, recipe_data
from search.register import SETTLED, find_study, study_names
from search.spec import OWN_CORE, StudySpec
from search.store.layout import Store
from spaces import Choice, Domain, Float, InputError, Int, SearchSpace, Switch, Value
from spaces.errors import did_you_mean, shown
from trainables.config import HELD
from trainables.data.naming import absolute, is_path

BASELINE = "baseline"


@dataclass(frozen=True)
class Side:
    """A recipe, and what it was typed as.

    Args:
        typed: A file, or a study with or without a trial.
        recipe: What it stands for.
    """

    typed: str
    recipe: Recipe

    def spec(self, name: str, address: str | None = None) -> StudySpec:
        """What a study of this recipe alone would be.

        Args:
            name: The comparison's.
            address: The cluster that it runs on.

        Raises:
            InputError: There can be none.
        """
        recipe = self.recipe
        held = {key: value for key, value in recipe.settings if key in recipe.settings.model_fields_set}
        spec = StudySpec(
            name=name,
            data=recipe.data,
            split_seed=recipe.split_seed,
            folds=recipe.folds,
            holdouts=recipe.holdouts,
            trainable=recipe.trainable,
            cpus_per_trial=recipe.threads,
            grace=1,
            finalists=0,
            registered=False,
            ray_address=address,
            **held,
        )
        return spec.drawing_from(only(recipe.params))

    def noted(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"typed": self.typed, "recipe": json.loads(self.recipe.model_dump_json(exclude_defaults=True))}

    @classmethod
    def from_noted(cls, noted: Mapping[str, Any]) -> Side:
        """What `noted` gave."""
        return cls(noted["typed"], Recipe.model_validate(noted["recipe"]))


def side_of(typed: str | Path, store: Store, data: str | None = None) -> Side:
    """The recipe that is meant.

    Args:
        typed: A recipe's YAML file; or of a study in the store its winner (``digits``), one of its trials
            (``digits:7``) or its baseline (``digits:baseline``).
        store: Where studies are.
        data: Another data set than the recipe's.

    Raises:
        InputError: There is no such recipe, or it is wrong.
    """
    text = str(typed)
    is_file = text.lower().endswith((".yaml", ".yml")) or (is_path(text) and Path(text).is_file())
    recipe = load_recipe(text) if is_file else _of_study(text, store)
    recipe = recipe.model_copy(update={"data": absolute(recipe.data if data is None else data)})
    return Side(text, _tidied(recipe))


def _of_study(text: str, store: Store) -> Recipe:
    name, colon, which = text.partition(":")
    names = study_names(store)
    if name not in names:
        raise InputError(
            "a recipe must be a .yaml file as `finetune-search best` prints it, or STUDY, STUDY:7 (a trial) or "
            f"STUDY:{BASELINE} of a study in {store.root}, but got {shown(text)}{did_you_mean(name, names)}"
        )
    study = load_study(store, name)
    ledger = find_study(store, name)
    trials = ledger.get_trials(deepcopy=False)
    if not colon:
        try:
            params = study.result().best.params
        except LookupError as error:
            raise InputError(f"{error}; name a trial: {name}:0") from None
    elif which == BASELINE:
        params = study.spec.search_space().baseline()
    elif which.isdecimal() and int(which) < len(trials) and trials[int(which)].params:
        params = trials[int(which)].params
    else:
        raise InputError(
            f"of study {name!r} there must be a trial from 0 to {len(trials) - 1} that has begun, or {BASELINE}, but "
            f"got {shown(text)}"
        )
    return Recipe.model_validate(recipe_data(study.spec, params, settled=ledger.user_attrs.get(SETTLED)))


def _tidied(recipe: Recipe) -> Recipe:
    """Options whose part is among the settings go there too, so that the parameters are a recipe of a space."""
    if recipe.trainable != OWN_CORE:
        return recipe
    tops = {name for name in recipe.params if name.partition(".")[0] in HELD and "." in name}
    loose = {name: value for name, value in recipe.params.items() if name in tops}
    loose = {name: value for name, value in loose.items() if name.partition(".")[0] not in recipe.params}
    if not loose:
        return recipe
    data = recipe.model_dump(exclude_unset=True)
    data["params"] = {name: value for name, value in recipe.params.items() if name not in loose}
    data["settings"] = {
        **data.get("settings", {}),
        "options": {**recipe.settings.options, **loose},
    }
    return Recipe.model_validate(data)


def only(params: Mapping[str, Value]) -> SearchSpace:
    """The space of one recipe: every parameter has one value, and every switch one branch.

    Raises:
        InputError: They are no recipe of any space: a name is none, or of a branch that is not taken.
    """
    domains: dict[str, Domain] = {}
    for name, value in params.items():
        if "." in name:
            continue
        start = f"{name}.{value}."
        inner = {key.removeprefix(start): entry for key, entry in params.items() if key.startswith(start)}
        domains[name] = Switch({str(value): only(inner)}) if inner else _constant(value)
    space = SearchSpace(domains)
    space.check(params)
    return space


def _constant(value: Value) -> Domain:
    if isinstance(value, bool | str):
        return Choice((value,))
    return Int(value, value) if isinstance(value, int) else Float(value, value)

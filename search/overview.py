"""The studies of a store, and one of them by its name."""

from __future__ import annotations

from collections import Counter

import optuna
from optuna.trial import TrialState
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from search.recipe import recipe_of
from search.register import COMPARISON, SETTLED, SPACE, SPEC, find_study, study_names
from search.spec import StudySpec
from search.store.layout import Store
from search.study import Study
from search.view import words
from spaces import InputError, space_from_dict
from spaces.laws import broken_law


def load_study(store: Store, name: str) -> Study:
    """A study as the ledger has written it down; its YAML file is not needed any more.

    Raises:
        InputError: There is none of that name, or it was made by other means.
    """
    study = find_study(store, name)
    written = study.user_attrs
    if COMPARISON in written:
        raise InputError(
            f"{name!r} is a comparison of two recipes, and not a study; `finetune-search show {name}` prints it"
        )
    if SPEC not in written or SPACE not in written:
        raise InputError(f"study {name!r} must have been made by `finetune-search run`, but has no spec")
    try:
        spec = StudySpec.model_validate(written[SPEC])
    except ValidationError as error:
        _, law = broken_law(error, StudySpec.model_fields)
        raise InputError(f"the spec of study {name!r} is not one of this version: {law}") from None
    return Study(spec.drawing_from(space_from_dict(written[SPACE])), store)


def best_recipe(study: Study) -> str:
    """The winning recipe as YAML, with the seed and the arithmetic of the winning trial.

    Raises:
        InputError: No trial of the study is COMPLETE.
    """
    try:
        winner = study.result().best
    except LookupError as error:
        raise InputError(str(error)) from None
    study = load_study(study.store, study.spec.name)  # with what it left open, as it was decided
    ledger = find_study(study.store, study.spec.name)
    seed = ledger.get_trials(deepcopy=False)[winner.number].user_attrs.get("seed")
    return recipe_of(study.spec, winner.params, seed=seed, settled=ledger.user_attrs.get(SETTLED))


def print_studies(store: Store, console: Console) -> None:
    """One line a study: name, data, model, states, best score."""
    names = study_names(store)
    if not names:
        sentence = f"no study in {store.root} yet; run one: finetune-search run"
        console.print(sentence, markup=False, soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("study", "data", "model"):  # names are to be typed, so they are never cut short
        table.add_column(heading, overflow="fold")
    table.add_column("trials", overflow="fold")
    table.add_column("best", justify="right", no_wrap=True)
    for name in names:
        study = find_study(store, name)
        row = _compared(store, name) if COMPARISON in study.user_attrs else _row(name, study)
        table.add_row(*row)
    console.print(table)


def _row(name: str, study: optuna.Study) -> list[str]:
    spec = study.user_attrs.get(SPEC, {})
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state is not TrialState.WAITING]
    values = [
        trial.value for trial in trials if trial.state is TrialState.COMPLETE and trial.value is not None
    ]
    states = words.states(Counter(trial.state.name for trial in trials))
    return [
        name,
        str(spec.get("data", "-")),
        str(spec.get("model", "-")),
        f"{len(trials)}: {states}" if trials else "0",
        words.score(max(values, default=None)),
    ]


def _compared(store: Store, name: str) -> list[str]:
    """A comparison's row: its trainings, and which recipe is better."""
    from search.comparison.entry import read

    comparison = read(store, name)
    recipes = [one.side.recipe for one in (comparison.first, comparison.second)]
    done = 2 * len(comparison.seeds) - comparison.left
    found, better = comparison.difference, comparison.better
    return [
        name,
        recipes[0].data,
        ", ".join(dict.fromkeys(recipe.settings.model for recipe in recipes)),
        f"{done} of {2 * len(comparison.seeds)} trainings of A and B"
        + ("" if comparison.controlled else ", not controlled"),
        f"{better} by {abs(found.value):.3f}" if better and found else "too close" if found else words.NONE,
    ]

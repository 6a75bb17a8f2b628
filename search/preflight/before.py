"""When a study is looked at: by itself before its first trial, or because somebody asks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from search import register
from search.preflight.preflight import Preflight, centered, examine, refuse, remarks
from search.preparation import Prepared
from search.spec import StudySpec
from search.store.layout import Store
from search.view import words
from search.view.view import View
from spaces import SearchSpace
from trainables.data.naming import find_dataset

if TYPE_CHECKING:
    from search.engine import Engine
    from search.study import Study

MEASURING = "measuring what is faster here"
LOOKING = "looking whether the study can work"


def preflight(study: Study, view: View) -> Preflight:
    """All of it, by itself. Nothing of the study begins, and nothing is written.

    Args:
        study: What would be run; one that is in the store already has settled what is measured once.
        view: Told what is being done.

    Raises:
        InputError: Something about the spec, data, model or space is wrong.
    """
    from search.engine import engine_for
    from search.preparation import prepare_study

    spec, space = study.spec, study.spec.search_space()
    find_dataset(spec.data)
    view.on_phase("preparing data")
    with engine_for(spec, early=False) as engine:
        prepared = prepare_study(spec, space, view.on_progress, view.on_phase)
        engine.take_cores(prepared.material, register.threads_in(study.store, spec.name))
        return _looked(study, space, prepared, engine, view, short=False)


def look_before(
    study: Study, space: SearchSpace, prepared: Prepared, engine: Engine, view: View
) -> Preflight | None:
    """The short form, of a study that is not in the store yet; none of others, or where it is turned off.

    Args:
        study: What is run.
        space: Its space.
        prepared: Its data and weights.
        engine: What it runs on.
        view: Told what is being done, and each warning.

    Raises:
        InputError: The study would be meaningless.
    """
    if not study.spec.preflight or study.spec.name in register.study_names(study.store):
        return None
    seen = _looked(study, space, prepared, engine, view, short=True)
    refuse(seen)
    engine.fit_memory(seen.memory)
    for remark in remarks(seen):
        view.on_note(remark)
    return seen


def _looked(
    study: Study, space: SearchSpace, prepared: Prepared, engine: Engine, view: View, *, short: bool
) -> Preflight:
    spec = engine.spec
    fixed = register.settled_in(study.store, spec)
    if fixed is None:
        view.on_phase(MEASURING)
        fixed = engine.decided(spec.fixed(), prepared.material)
    view.on_phase(LOOKING)
    return examine(
        spec, space, prepared, fixed, engine.resources, engine.compute, study.store.root, short=short
    )


def artifacts(seen: Preflight) -> dict[str, str]:
    """What is kept of it in MLflow: name of a file → its text."""
    from search.preflight.page import page

    return {"preflight.html": page(seen), "preflight.json": json.dumps(seen.to_dict())}


def center_rates(study: Study, view: View) -> StudySpec:
    """The study with ranges of learning rates that are centred on what ramps suggest, a decade on either side.

    One that is in the store keeps the ranges that it has.

    Args:
        study: What is to be run.
        view: Told what is being done, and the ranges.

    Raises:
        InputError: As for `preflight`, or the study could not work.
    """
    if study.spec.name in register.study_names(study.store):
        return study.spec.model_copy(update={"narrow": _kept(study.store, study.spec.name)})
    seen = preflight(study, view)
    refuse(seen)
    space = study.spec.search_space()
    spec = centered(study.spec, space, seen.rates)
    for name, change in spec.narrow.items():
        if name.endswith(".lr") and change != study.spec.narrow.get(name):
            view.on_note(
                f"{name} in [{words.number(change['low'])}, {words.number(change['high'])}], centred on "
                f"{words.number(change['default'])}"
            )
    return spec


def _kept(store: Store, name: str) -> dict[str, object]:
    from search.overview import load_study

    return dict(load_study(store, name).spec.narrow)

"""A controlled comparison of two recipes, from what is typed to its verdict, and on from wherever it stood."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from search import register
from search.account import session
from search.checkpoints import Checkpoints
from search.comparison import entry as entries
from search.comparison.alike import alike, check_images, written_otherwise
from search.comparison.comparison import Comparison
from search.comparison.difference import NATURAL, Difference, differences
from search.comparison.entry import LABELS, Entry
from search.comparison.flat import flat
from search.comparison.side import Side, side_of
from search.errors import StudyError
from search.quiet import hushed_optuna
from search.spec import OWN_CORE, StudySpec
from search.store.databases import prepare
from search.store.layout import Store
from search.store.lock import StudyLock
from search.store.patience import AWAY, Patience
from search.view.silent import Silent
from search.view.view import View
from spaces import InputError
from trainables.config import MEASURED
from trainables.data.naming import find_dataset

if TYPE_CHECKING:
    from search.ledger import Ledger
    from search.preparation import Prepared

SEEDS = 5
"""With how many seeds each recipe is trained, where nobody says."""


def compare(
    first: str | Path,
    second: str | Path,
    *,
    seeds: int | None = None,
    name: str | None = None,
    data: str | None = None,
    any_difference: bool = False,
    store: Store | None = None,
    address: str | None = None,
    view: View | None = None,
) -> Comparison:
    """Train two recipes with the same seeds on the same images, and say which is better and by how much.

    Both are judged by the best validation score of each training; the test split stays closed. What is trained already
    counts: the same call goes on after an interruption, and more seeds only add.

    Args:
        first: A, what is compared with: a recipe's YAML file, or of a study in the store its winner (``digits``), one
            of its trials (``digits:7``) or its baseline (``digits:baseline``).
        second: B, likewise: what is tried.
        seeds: With how many seeds, from 1; if not given 5, or as many as the comparison has.
        name: The comparison's own; from A's and B's if not given.
        data: Another data set than the recipes', for both.
        any_difference: Train them even where more than one thing differs; the comparison is not controlled then.
        store: Where studies are, and where it is kept; ``mlruns`` in the working folder if not given.
        address: A Ray cluster that runs already.
        view: Who shows what happens; nobody if not given.

    Raises:
        InputError: There is no such recipe, nothing differs or, unless that is allowed, more than one thing, the data
            differ, or a recipe cannot be trained; no training has started.
        StudyError: The comparison is being run by another process, or none of its trainings succeeded.
        KeyboardInterrupt: Stopped by the user; the same call goes on.
    """
    if seeds is not None and seeds < 1:
        raise InputError(f"seeds must be 1 or more, but got {seeds}")
    place = store or Store.default()
    typed = [side_of(one, place, data) for one in (first, second)]
    check_images(typed)
    find_dataset(typed[0].recipe.data)
    sides = alike(typed)
    called = _checked(name or default_name(sides))
    before = entries.earlier(place, called, sides)
    found = _differences(sides)
    _check(found, any_difference, so_far=_is_open(sides))
    count = max(seeds or (before.seeds if before else SEEDS), before.seeds if before else 1)
    specs = [_named(label, side, called, address) for label, side in zip(LABELS.values(), sides, strict=True)]
    with register.alone(place, called) as lock, hushed_optuna():
        wanted = Entry(called, sides, found, count)
        result = _run(wanted, specs, place, view if view is not None else Silent(), lock, any_difference)
    if not any(one.scores for one in result.both):
        why = next(iter([*result.first.failed.values(), *result.second.failed.values()]), "")
        raise StudyError(f"no training of {called!r} is COMPLETE; the first failed because: {why}")
    return result


def default_name(sides: Sequence[Side]) -> str:
    """``a-vs-b`` for a.yaml and b.yaml."""
    words = []
    for side in sides:
        text = Path(side.typed).stem if side.typed.lower().endswith((".yaml", ".yml")) else side.typed
        words.append(re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:43] or "recipe")
    return "-vs-".join(words)


def _checked(name: str) -> str:
    """A name as studies have.

    Raises:
        InputError: It is none.
    """
    try:
        return StudySpec(name=name).name
    except ValueError as error:
        raise InputError(_sentence(error).replace("a study's name", "a comparison's name")) from None


def _named(label: str, side: Side, name: str, address: str | None) -> StudySpec:
    try:
        return side.spec(name, address)
    except ValueError as error:
        raise InputError(f"{label} ({side.typed}): {_sentence(error)}") from None


def _sentence(error: ValueError) -> str:
    from pydantic import ValidationError

    from spaces.laws import broken_law

    return broken_law(error, StudySpec.model_fields)[1] if isinstance(error, ValidationError) else str(error)


def _differences(sides: Sequence[Side], prepared: Sequence[Prepared] | None = None) -> tuple[Difference, ...]:
    laid = []
    for label, side in zip(LABELS.values(), sides, strict=True):
        try:
            laid.append(flat(side.recipe))
        except InputError as error:
            raise InputError(f"{label} ({side.typed}): {error}") from None
    natural = None
    if prepared is not None:
        materials = [one.material for one in prepared]
        natural = [{"image_size": one.size, "repeats": one.repeats} for one in materials]
    return differences(laid[0], laid[1], natural, written_otherwise(sides))


def _is_open(sides: Sequence[Side]) -> bool:
    """Whether one of them leaves a setting to data and network that the other names."""
    first, second = (side.recipe.settings for side in sides)
    return any((getattr(first, name) is None) != (getattr(second, name) is None) for name in NATURAL)


def _check(found: Sequence[Difference], any_difference: bool, *, so_far: bool) -> None:
    """Whether the comparison may be made.

    Args:
        found: What differs.
        any_difference: More than one thing may.
        so_far: Data and network may yet decide that something differs.

    Raises:
        InputError: It may not.
    """
    if not found and not so_far:
        raise InputError(
            "two recipes must differ to be compared, but nothing that decides a training differs between A and B "
            "(seeds aside)"
        )
    if len(found) > 1 and not any_difference:
        raise InputError(
            f"a controlled comparison must have one difference, but {len(found)} things differ: "
            f"{'; '.join(one.words for one in found)}. Make all but one of them alike, or compare with "
            "--any-difference, which then says nothing about which of them it is"
        )


def _run(
    wanted: Entry,
    specs: Sequence[StudySpec],
    store: Store,
    view: View,
    lock: StudyLock,
    any_difference: bool,
) -> Comparison:
    from search.comparison.recording import ComparisonRecording, numbered
    from search.decisions.listener import Listeners
    from search.decisions.program import SideBySide
    from search.engine import Kind, engine_for
    from search.listed import listed
    from search.view.comparison import what_differs
    from trainables.models.backbone import weights_fingerprint

    began, name = time.time(), wanted.name
    view.on_phase("preparing data")
    spec, other = specs
    with engine_for(spec, [other], early=_has_work(store, wanted)) as engine:
        prepared = _prepared(specs, view)
        found = _differences(wanted.sides, prepared)
        _check(found, any_difference, so_far=False)
        wanted = replace(wanted, differences=found)
        for remark in prepared[0].dataset.remarks:
            view.on_note(remark)
        prepare(store)
        patience = Patience(AWAY, view.on_trouble, lock.check)
        main = register.open_ledger(store, spec, spec.search_space(), name, patience)
        entries.write(main, wanted)
        uid, checkpoints = register.uid_of(main), Checkpoints(store, name)
        checkpoints.mark(uid)
        register.hold_data(main, spec, prepared[0].dataset.fingerprint())
        ledgers: dict[str, Ledger] = {}
        kinds: dict[str, Kind] = {}
        for phase, its, ready in zip(LABELS, specs, prepared, strict=True):
            ledger = register.open_ledger(
                store, its, its.search_space(), entries.ledger_name(name, phase), patience
            )
            if isinstance(its.pretrained, str):
                register.hold_weights(ledger, its, weights_fingerprint(ready.material.weights))
            asked = its.fixed()
            if kinds:  # what both leave to be measured is measured once
                measured = next(iter(kinds.values())).fixed
                autos = [one for one in MEASURED if getattr(asked, one) == "auto"]
                asked = asked.model_copy(update={one: getattr(measured, one) for one in autos})
            kinds[phase] = Kind(its, engine.settled(ledger, asked, ready.material), ready.material)
            ledgers[phase] = ledger
        engine.share(*((its.search_space(), kinds[phase]) for phase, its in zip(LABELS, specs, strict=True)))
        entries.enter(ledgers, wanted)
        with ComparisonRecording(
            store, wanted, dict(zip(LABELS, specs, strict=True)), ledgers, uid, view
        ) as recording:
            with session(main, engine.resources.workers, began):
                known = [numbered(phase, one) for phase, ledger in ledgers.items() for one in ledger.trials()]
                view.on_comparison(
                    dict(zip(LABELS.values(), specs, strict=True)), known, engine.resources.workers
                )
                view.on_note(what_differs(entries.comparison_of(wanted, ledgers)))
                listener = Listeners(recording, checkpoints)
                phases = [
                    listed(phase, ledgers[phase], its, listener)
                    for phase, its in zip(LABELS, specs, strict=True)
                ]
                first, *others = kinds.items()
                engine.train(SideBySide(phases), first[1], checkpoints, uid, view, patience, dict(others))
                for phase, ledger in ledgers.items():
                    for training in ledger.trials():  # of those too that ended as an earlier driver died
                        checkpoints.tidy(phase, training)
            comparison = entries.comparison_of(wanted, ledgers)
            recording.conclude(comparison)
    return comparison


def _has_work(store: Store, wanted: Entry) -> bool:
    if wanted.name not in register.study_names(store):
        return True
    there = entries.read(store, wanted.name)
    return bool(there.left or len(there.seeds) < wanted.seeds)


def _prepared(specs: Sequence[StudySpec], view: View) -> list[Prepared]:
    """Data and weights of both; what is the same in both is there once.

    Raises:
        InputError: A recipe cannot be trained, or their images differ.
    """
    from search.preparation import prepare_study

    found: list[Prepared] = []
    for label, spec in zip(LABELS.values(), specs, strict=True):
        try:
            if found and spec.fixed() == specs[0].fixed() and spec.trainable == OWN_CORE:
                from search.feasibility import check_space

                check_space(spec.search_space(), spec.fixed(), found[0].material)
                found.append(found[0])
            else:
                found.append(prepare_study(spec, spec.search_space(), view.on_progress, view.on_phase))
        except InputError as error:
            raise InputError(f"{label}: {error}") from None
    first, second = found
    if first.dataset.fingerprint() != second.dataset.fingerprint():
        raise InputError(
            "two recipes must be trained on the same images to be compared, but by their settings A and B read "
            f"{specs[0].data!r} to different ones"
        )
    if (
        second.material.key == first.material.key
        and second.material.invariances == first.material.invariances
    ):
        found[1] = replace(second, material=first.material)
    return found

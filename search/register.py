"""A study's entry in the store: its lock, its ledgers, and what was written down about it."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import optuna

from search.ledger import Ledger, make_study
from search.quiet import hushed_optuna
from search.spec import CHANGEABLE, LIMITS, StudySpec
from search.store.databases import open_storage
from search.store.layout import Store
from search.store.lock import StudyLock
from search.store.patience import Patience
from spaces import InputError, SearchSpace
from trainables.config import MEASURED, Fixed
from trainables.memory_format import AS_USUAL

SPEC, SPACE, DIGEST, SETTLED = "spec", "space", "space_digest", "settled"
BASELINE, UID, SEARCHED = "baseline", "uid", "searched"
MEMORY = "memory_of_a_trial"
DATA, WEIGHTS = "data_fingerprint", "weights_fingerprint"
COMPARISON = "comparison"
"""Of a comparison of two recipes, which is no study: what is compared."""
_SPACE_FIELDS = {"space", "narrow"}


def confirm_name(study: str) -> str:
    """The ledger study of a confirmation; ``@`` is in no study's own name."""
    return f"{study}@confirm"


def perturb_name(study: str) -> str:
    """The ledger study of a perturbation."""
    return f"{study}@perturb"


@contextmanager
def alone(store: Store, name: str) -> Iterator[StudyLock]:
    """Hold the lock of the one driver that a study may have; a dead process holds none.

    Raises:
        StudyError: Another process runs the study.
        InputError: The store cannot be written.
    """
    with StudyLock(store, name).held() as lock:
        yield lock


def open_ledger(
    store: Store, spec: StudySpec, space: SearchSpace, name: str, patience: Patience | None = None
) -> Ledger:
    """The ledger called `name`, made where there is none. It only records: recipes are proposed by the policy."""
    fold_epochs = spec.epochs if spec.trainings > 1 else None
    study = make_study(open_storage(store), name, optuna.samplers.RandomSampler(spec.seed))
    return Ledger(study, space, fold_epochs, patience)


def enter(ledger: Ledger, spec: StudySpec) -> None:
    """Write the study down: spec and space, and its first trial, the baseline.

    Raises:
        InputError: The name is another study's.
    """
    study, space = ledger.study, ledger.space
    _refuse_comparison(study)
    if SPEC in study.user_attrs:
        _refuse_another(study.user_attrs, spec, space)
    elif ledger.trials():
        raise InputError(
            f"study {spec.name!r} must have been made by `finetune-search run`, but it was made by other means; "
            "choose another --name"
        )
    study.set_user_attr(UID, study.user_attrs.get(UID) or uuid.uuid4().hex)
    study.set_user_attr(BASELINE, space.baseline())
    study.set_user_attr(SPACE, space.to_dict())
    study.set_user_attr(DIGEST, space.digest())
    study.set_user_attr(SPEC, json.loads(spec.model_dump_json()))
    if not ledger.trials():
        ledger.enqueue(space.baseline())


def _refuse_comparison(study: optuna.Study) -> None:
    if COMPARISON in study.user_attrs:
        raise InputError(
            f"a study must have a name of its own, but {study.study_name!r} is a comparison; choose another --name"
        )


def hold_data(ledger: Ledger, spec: StudySpec, fingerprint: str) -> None:
    """Write down what the study's images, labels and splits are, or see that they still are.

    Raises:
        InputError: They have changed since the study began: its trials could not be compared any more.
    """
    _hold(ledger, DATA, fingerprint, "images, labels and splits", f"data {spec.data!r} has changed")


def hold_weights(ledger: Ledger, spec: StudySpec, fingerprint: str) -> None:
    """Likewise for the weights that its trials start from, of a study that takes them from a file.

    Raises:
        InputError: They have changed since the study began.
    """
    _hold(ledger, WEIGHTS, fingerprint, "weights", f"the file {spec.pretrained!r} has changed")


def _hold(ledger: Ledger, key: str, fingerprint: str, what: str, otherwise: str) -> None:
    written = ledger.study.user_attrs.get(key)
    if written is None:
        ledger.study.set_user_attr(key, fingerprint)
    elif written != fingerprint:
        raise InputError(
            f"the {what} of study {ledger.study.study_name!r} must stay as they were when it began, but {otherwise}; "
            "put it back, or choose another --name"
        )


def _has_moved(written: Mapping[str, Any], key: str, before: object, value: object) -> bool:
    """Whether a setting may be another path of the same files: what is in them is written down."""
    held = {"data": DATA, "pretrained": WEIGHTS}.get(key)
    return held in written and all(isinstance(one, str) and os.path.isabs(one) for one in (before, value))


def _refuse_another(written: Mapping[str, Any], spec: StudySpec, space: SearchSpace) -> None:
    advice = "continue it as it was, or choose another --name"
    if written[DIGEST] != space.digest():
        raise InputError(f"study {spec.name!r} exists with another space; {advice}")
    if written.get(BASELINE, space.baseline()) != space.baseline():
        raise InputError(
            f"study {spec.name!r} exists with another baseline (defaults of its space); {advice}"
        )
    for key, value in json.loads(spec.model_dump_json()).items():
        before = written[SPEC].get(key, value)
        left_open = key == "cpus_per_trial" and "auto" in {before, value}  # it is as it was decided
        may_change = left_open or key in CHANGEABLE | _SPACE_FIELDS or _has_moved(written, key, before, value)
        if before != value and not may_change:
            raise InputError(
                f"study {spec.name!r} exists with {key}={before!r}, but now {key}={value!r}; {advice}"
            )


def refuse_another(store: Store, spec: StudySpec, space: SearchSpace) -> bool:
    """Look before anything is prepared or made; whether the study may have work left.

    Raises:
        InputError: The name is another study's.
    """
    if spec.name not in study_names(store):
        return True
    study = find_study(store, spec.name)
    _refuse_comparison(study)
    if SPEC in study.user_attrs:
        _refuse_another(study.user_attrs, spec, space)
    return bool(study.user_attrs.get(SEARCHED) != _limits(spec))


def write_searched(ledger: Ledger, spec: StudySpec) -> None:
    """Its limits have ended the search; one of the same limits has nothing more to do."""
    ledger.note(SEARCHED, _limits(spec))


def is_searched(ledger: Ledger, spec: StudySpec) -> bool:
    """Whether limits as those of `spec` have ended the search."""
    return bool(ledger.noted(SEARCHED, None) == _limits(spec))


def _limits(spec: StudySpec) -> dict[str, Any]:
    limits = {name: getattr(spec, name) for name in (*LIMITS, "enough")}
    return {**limits, "trials": spec.most_trials}


def uid_of(ledger: Ledger) -> str:
    """The study's own word, which a later study of the same name does not share."""
    return str(ledger.study.user_attrs[UID])


def settled_once(ledger: Ledger, fixed: Fixed) -> Fixed | None:
    """`fixed` with what was decided when the study was new; none if it is."""
    written = ledger.study.user_attrs.get(SETTLED)
    # Studies of before these could be chosen go on as they began.
    before = {"stored_features": False, "memory_format": AS_USUAL}
    return None if written is None else fixed.model_copy(update={**before, **written})


def settled_in(store: Store, spec: StudySpec) -> Fixed | None:
    """The same for a study that may be in the store or not; nothing is written."""
    if spec.name not in study_names(store):
        return None
    return settled_once(Ledger(find_study(store, spec.name), spec.search_space()), spec.fixed())


def write_settled(ledger: Ledger, fixed: Fixed) -> None:
    """A trial that is resumed tomorrow must run on the same kind of device, in the same way."""
    ledger.study.set_user_attr(SETTLED, fixed.model_dump(include={*MEASURED, "stored_features"}))


def threads_in(store: Store, name: str) -> int | None:
    """Torch threads of a trial of a study that is in the store; none of another, of which that is still open."""
    if name not in study_names(store):
        return None
    written = find_study(store, name).user_attrs.get(SPEC, {}).get("cpus_per_trial", 1)
    return written if isinstance(written, int) else 1


def hold_memory(ledger: Ledger, memory: float | None) -> float | None:
    """What a trial takes, MiB, as it was measured when the study was new; none where it was not.

    Args:
        ledger: The study's.
        memory: What was measured now, if anything.
    """
    if memory is not None:
        ledger.study.set_user_attr(MEMORY, memory)
    found: float | None = ledger.study.user_attrs.get(MEMORY)
    return found


def read_ledger(store: Store, name: str, space: SearchSpace) -> Ledger:
    """The ledger called `name` to be read; an empty one in memory where there is none."""
    storage = open_storage(store)
    if name not in optuna.get_all_study_names(storage):
        storage = optuna.storages.InMemoryStorage()
    with hushed_optuna():
        return Ledger(make_study(storage, name, optuna.samplers.RandomSampler()), space)


def find_study(store: Store, name: str) -> optuna.Study:
    """A study of the ledger, to be read.

    Raises:
        InputError: There is none of that name; those that there are, are named.
    """
    names = study_names(store)
    if name.split("@")[0] not in names:
        there = f"; there are: {', '.join(names)}" if names else "; no study was run there yet"
        raise InputError(f"there is no study {name!r} in {store.root}{there}")
    try:
        return optuna.load_study(study_name=name, storage=open_storage(store))
    except KeyError:
        raise InputError(f"there is no study {name!r} in {store.root}") from None


def study_names(store: Store) -> list[str]:
    """Names of the studies and comparisons in the store; confirmations and the like are parts of them."""
    if store.optuna is None and not store.optuna_db.exists():
        return []
    names = optuna.get_all_study_names(open_storage(store))
    return [name for name in names if "@" not in name]

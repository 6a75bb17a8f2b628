"""What old studies and caches could give back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from search import register
from search.checkpoints import CONFIRM, LEDGER, Checkpoints
from search.errors import StudyError
from search.execution.names import BEST
from search.overview import load_study
from search.store.layout import Store
from spaces import InputError
from trainables.data.cache import cache_folder

CACHED = ("stores", "features", "glyphs-*.safetensors")
"""What of the cache folder is made from what one has; data sets that were fetched stay."""


@dataclass(frozen=True)
class Removable:
    """A file or folder that could go.

    Args:
        path: Where.
        what: What it is, in words.
        bytes: Its size.
    """

    path: Path
    what: str
    bytes: int


def removable(store: Store, names: Sequence[str] = (), *, cache: bool = False) -> list[Removable]:
    """What could go; nothing is touched.

    Without names it is what is of no use to anybody: checkpoints of studies that the ledger does not know, and files
    that processes left unfinished when they were killed. Of each study that is named it is all weights but the
    winner's and the baseline's: the answer stays, but if the study is made longer and another finalist wins then, that
    one cannot be measured on the test split.

    Args:
        store: Whose.
        names: Of studies that have their answer.
        cache: Also decoded images, stored features and the built-in weights, which are made again when they are needed.

    Raises:
        InputError: There is no study of such a name, or it has no answer yet.
    """
    found = [*_strange(store), *_unfinished(store)]
    for name in names:
        found += _losers(store, name)
    if cache:
        for folder in sorted(path for kind in CACHED for path in cache_folder().glob(kind)):
            found.append(Removable(folder, "cache, made again when it is needed", _size(folder)))
    return [one for one in found if one.bytes or one.path.is_dir()]


def remove(
    store: Store, shown: Sequence[Removable], names: Sequence[str] = (), *, cache: bool = False
) -> list[Removable]:
    """Remove what was shown, as far as it still may go: meanwhile a study may have begun or gone on.

    Args:
        store: Whose.
        shown: What `removable` gave.
        names: As for `removable`.
        cache: Likewise.

    Returns:
        What is gone.

    Raises:
        StudyError: One of the studies is being run.
        OSError: Something may not be removed.
    """
    with ExitStack() as held:
        for name in names:
            held.enter_context(register.alone(store, name))
        may_go = {part.path for part in removable(store, names, cache=cache)}
        parts = [part for part in shown if part.path in may_go]
        for part in parts:
            if part.path.is_dir():
                shutil.rmtree(part.path)
            else:
                part.path.unlink(missing_ok=True)
    return parts


def _folders(store: Store) -> list[Path]:
    root = store.root / "checkpoints"
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def _strange(store: Store) -> Iterator[Removable]:
    if store.optuna is None and not store.optuna_db.exists():
        return  # no ledger: nobody says which studies there are
    known = set(register.study_names(store))
    for folder in _folders(store):
        mark = folder / LEDGER
        # Those of before there were marks are of the store's own ledger.
        ours = mark.read_text() == store.ledger_name if mark.exists() else store.optuna is None
        if ours and folder.name not in known and not _runs(store, folder.name):
            yield Removable(folder, "checkpoints of a study that the ledger does not know", _size(folder))


def _unfinished(store: Store) -> Iterator[Removable]:
    """Of studies that nobody runs: a living process may be writing such a file this moment."""
    for name in sorted(set(register.study_names(store)) & {folder.name for folder in _folders(store)}):
        left = sorted(store.study_checkpoints(name).rglob("*.tmp"))
        if left and not _runs(store, name):
            for path in left:
                yield Removable(path, "a checkpoint that was never finished", _size(path))


def _runs(store: Store, name: str) -> bool:
    """Whether a driver has it, which also this process may be."""
    try:
        with register.alone(store, name):
            return False
    except (StudyError, InputError):
        return True


def _losers(store: Store, name: str) -> Iterator[Removable]:
    study = load_study(store, name)
    result = study.result()
    trials = register.find_study(store, name).get_trials(deepcopy=False)
    if result.answer is None and (
        study.spec.finalists or any(not trial.state.is_finished() for trial in trials)
    ):
        raise InputError(f"a study must have its answer before its weights can go, but {name!r} has none yet")
    checkpoints = Checkpoints(store, name)
    winner, kept = None, set()
    if result.answer is not None:
        winner = result.answer.winner.number
        kept = {result.answer.winner.label, *([one.label] if (one := result.answer.baseline) else [])}
    elif any(trial.state == "COMPLETE" for trial in result.trials):
        winner = result.best.number  # without finalists the best of the search
    ledger = register.read_ledger(store, register.confirm_name(name), study.spec.search_space())
    for training in ledger.trials():
        path = checkpoints.folder(CONFIRM, training.number)
        if training.user_attrs.get("candidate") not in kept and path.exists():
            yield Removable(path, f"weights of a finalist of {name!r} that did not win", _size(path))
    for trial in trials:
        path = checkpoints.folder("search", trial.number)
        if trial.number != winner and (path / BEST).exists():
            yield Removable(path, f"weights of a trial of {name!r} that did not win", _size(path))


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return path.stat().st_size if path.exists() else 0

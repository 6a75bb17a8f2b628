"""What old studies and caches could give back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from search import register
from search.addresses import without_secret
from search.checkpoints import CONFIRM, LEDGER, SEARCH, Checkpoints
from search.errors import StudyError
from search.execution.names import BEST
from search.overview import load_study
from search.places import Place
from search.places.disk import Disk
from search.store.layout import Store
from spaces import InputError
from trainables.data.cache import cache_folder

CACHED = ("stores", "features", "glyphs-*.safetensors")
"""What of the cache folder is made from what one has; data sets that were fetched stay."""


@dataclass(frozen=True)
class Removable:
    """A file or folder that could go.

    Args:
        place: The folder.
        what: What it is, in words.
        bytes: Its size.
        file: The file in it; none for all of the folder.
    """

    place: Place
    what: str
    bytes: int
    file: str | None = None

    @property
    def address(self) -> str:
        """Path or URL, without what is secret in it."""
        address = without_secret(self.place.address)
        return address if self.file is None else f"{address}/{self.file}"

    def remove(self) -> None:
        """Let it go.

        Raises:
            OSError: It may not be removed.
        """
        if self.file is None:
            self.place.clear()
        else:
            self.place.remove(self.file)


def removable(store: Store, names: Sequence[str] = (), *, cache: bool = False) -> list[Removable]:
    """What could go; nothing is touched.

    Without names it is what is of no use to anybody: checkpoints of studies that the ledger does not know, and files
    that processes left unfinished when they were killed. Of each study that is named it is all weights but the
    winner's and the baseline's: the answer stays.

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
        for path in sorted(path for kind in CACHED for path in cache_folder().glob(kind)):
            found.append(_all_of(Disk(path), "cache, made again when it is needed"))
    return found


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
        may_go = {part.address for part in removable(store, names, cache=cache)}
        parts = [part for part in shown if part.address in may_go]
        for part in parts:
            part.remove()
    return parts


def _studies(store: Store) -> dict[str, dict[str, int]]:
    """Studies that have something among the checkpoints → its files and their sizes, bytes."""
    found: dict[str, dict[str, int]] = {}
    for path, size in sorted(store.checkpoints.files().items()):
        study, slash, file = path.partition("/")
        if slash:
            found.setdefault(study, {})[file] = size
    return found


def _strange(store: Store) -> Iterator[Removable]:
    if store.optuna is None and not store.optuna_db.exists():
        return  # no ledger: nobody says which studies there are
    known = set(register.study_names(store))
    for name, files in _studies(store).items():
        place = store.checkpoints.at(name)
        mark = place.get(LEDGER)
        if mark is not None:
            ours = mark.decode().partition("\n")[0] == store.owner
        else:  # those of before there were marks; elsewhere it may be anything
            ours = store.optuna is None and store.elsewhere is None
        if ours and name not in known and not _runs(store, name):
            what = "checkpoints of a study that the ledger does not know"
            yield Removable(place, what, sum(files.values()))


def _unfinished(store: Store) -> Iterator[Removable]:
    """Of studies that nobody runs: a living process may be writing such a file this moment."""
    studies = _studies(store)
    for name in sorted(set(register.study_names(store)) & set(studies)):
        left = [file for file in studies[name] if file.endswith(".tmp")]
        if left and not _runs(store, name):
            for file in left:
                place = store.study_checkpoints(name)
                yield Removable(place, "a checkpoint that was never finished", studies[name][file], file)


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
        if training.user_attrs.get("candidate") not in kept:
            place = checkpoints.place(CONFIRM, training.number)
            if place.files():
                yield _all_of(place, f"weights of a finalist of {name!r} that did not win")
    for trial in trials:
        if trial.number != winner:
            place = checkpoints.place(SEARCH, trial.number)
            if BEST in place.files():
                yield _all_of(place, f"weights of a trial of {name!r} that did not win")


def _all_of(place: Place, what: str) -> Removable:
    return Removable(place, what, sum(place.files().values()))

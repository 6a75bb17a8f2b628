"""A study's search on recorded curves: which searcher and scheduler suit its budget, and what more would buy."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.answer.race import most_trainings
from search.decisions.budget import of_search
from search.execution.resources import available_cores
from search.simulation import simulate
from search.simulation.tables import Table, completed
from search.spec import StudySpec
from spaces import InputError

SHARES = (0.25, 0.5, 1.0)
"""Of the budget, where regret is looked at."""
PAIRS = (
    ("default", "default"),
    ("tpe", "asha"),
    ("random", "asha"),
    ("tpe", "hyperband"),
    ("random", "promotion"),
    ("random", "none"),
)
"""Searchers and schedulers that are compared."""
MORE = (2.0, 4.0)
"""Times the budget, and times the workers."""
DEAREST = 400.0
"""Trainings of full length: a larger budget than this is rehearsed no more."""


@dataclass(frozen=True)
class Setting:
    """One way to search.

    Args:
        searcher: Name.
        scheduler: Name.
        budget: Times the study's budget.
        workers: Times the study's workers.
    """

    searcher: str
    scheduler: str
    budget: float = 1.0
    workers: float = 1.0


@dataclass(frozen=True)
class Rehearsed:
    """How one setting did.

    Args:
        setting: Which.
        regrets: Shape (tables, seeds, shares): 1 is a median random recipe of the table, 0 the best known.
        trials: How many trials began, on average.
        clock: Time it took as a share of what the study's own setting takes.
    """

    setting: Setting
    regrets: NDArray[np.float64]
    trials: float
    clock: float

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean regret at each share of the budget."""
        means: NDArray[np.float64] = self.regrets.mean(axis=(0, 1))
        return means

    @property
    def error(self) -> float:
        """Standard error of the last mean over seeds."""
        by_seed = self.regrets[:, :, -1].mean(axis=0)
        return float(by_seed.std(ddof=1) / np.sqrt(len(by_seed))) if len(by_seed) > 1 else float("nan")


@dataclass(frozen=True)
class Rehearsal:
    """What a study may expect.

    Args:
        own: The study's own setting.
        others: Other searchers and schedulers for the same epochs, the best first.
        more: The study's own setting with a larger budget, and with more workers.
        trainings: Budget of the study's search in trainings of full length, as rehearsed.
        tables: Names of the curves.
        seeds: How many searches each figure is the mean of, on each table.
        kept: Of a study limited in epochs, in trainings too, what the confirmation keeps of it.
    """

    own: Rehearsed
    others: Sequence[Rehearsed]
    more: Sequence[Rehearsed]
    trainings: float
    tables: Sequence[str]
    seeds: int
    kept: float = 0.0

    @property
    def better(self) -> Rehearsed | None:
        """The best of the others, where it is better than the study's own by more than chance.

        That is two standard errors of the difference, paired by table and seed.
        """
        best = min(self.others, key=lambda other: float(other.means[-1]), default=None)
        if best is None or self.seeds < 2:
            return None
        gained = (self.own.regrets - best.regrets)[:, :, -1].mean(axis=0)
        return best if gained.mean() > 2 * gained.std(ddof=1) / np.sqrt(len(gained)) else None


def rehearse(
    spec: StudySpec,
    tables: Sequence[Table],
    workers: int,
    seeds: int = 5,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    jobs: int | None = None,
) -> Rehearsal:
    """Search recorded curves as a study would, and as others would for the same epochs.

    Epochs of a curve stand for shares of the study's own full budget, so the study's numbers are scaled: forty
    trials stay forty trials, a first rung after a sixth of the training comes after a sixth of the curve. A trial of
    several folds is rehearsed as one curve, and what needs the study's images is not known: the grace ``auto`` is taken
    for one epoch. Only the search is rehearsed, with what the confirmation leaves it.

    Args:
        spec: The study.
        tables: The curves.
        workers: How many trials the study runs at a time.
        seeds: Searches for each figure on each table.
        on_progress: Told how many searches are done, and of how many.
        jobs: Processes; none takes one a core.

    Raises:
        InputError: The study's limits cannot be rehearsed, or a table has too few curves.
    """
    if spec.most_trials is None and spec.budget_epochs is None:
        raise InputError(
            "a rehearsal needs a budget of trials or epochs; give `--trials` or `--budget-epochs`"
        )
    if not tables or seeds < 1:
        raise InputError(
            f"a rehearsal needs curves and seeds, but got {len(tables)} tables and {seeds} seeds"
        )
    for table in tables:  # found out here: an error where a pool's processes begin would only start new ones
        whole = completed(table.scores, table.diverged)
        best = np.where(np.isnan(whole), -np.inf, whole).max(axis=1)  # none of a recipe that diverged at once
        if np.median(best) >= best.max():
            raise InputError(
                f"recorded curves must leave something to find, but half of the recipes of {table.name!r} "
                f"reach its best score, {best.max():.4g}"
            )
    own = Setting(spec.searcher, spec.scheduler)
    with multiprocessing.get_context("spawn").Pool(
        min(jobs or available_cores(), len(tables) * seeds), _prepare, (list(tables),)
    ) as pool:
        runner = _Runner(pool, spec, [table.epochs for table in tables], workers, seeds)
        settings = [Setting(*pair) for pair in PAIRS if pair != (own.searcher, own.scheduler)]
        larger = [Setting(own.searcher, own.scheduler, budget=times) for times in MORE]
        wider = [Setting(own.searcher, own.scheduler, workers=times) for times in MORE]
        runner.expect(1 + len(settings) + len(larger) + len(wider), on_progress)
        first = runner.own(own)
        trainings = float(np.mean([b / t.epochs for b, t in zip(runner.budgets, tables, strict=True)]))
        larger = [setting for setting in larger if setting.budget * trainings <= DEAREST]
        runner.expect(1 + len(settings) + len(larger) + len(wider), on_progress)
        others = [runner.run(setting) for setting in settings]
        more = [runner.run(setting) for setting in (*larger, *wider)]
    others.sort(key=lambda rehearsed: float(rehearsed.means[-1]))
    names = [table.name for table in tables]
    return Rehearsal(first, others, more, trainings, names, seeds, _kept(spec) / spec.budget)


def _kept(spec: StudySpec) -> float:
    """Epochs of the study that its search leaves to the confirmation, where they are limited."""
    if spec.budget_epochs is None:
        return 0.0
    needed = most_trainings(spec.finalists, spec.finalist_seeds) * spec.budget
    return spec.budget_epochs - of_search(spec.budget_epochs, needed)


class _Runner:
    """Runs settings on every table and seed, for the epochs that the study's own setting takes."""

    def __init__(self, pool: Any, spec: StudySpec, epochs: Sequence[int], workers: int, seeds: int) -> None:
        self._pool, self._spec, self._epochs = pool, spec, epochs
        self._workers, self._seeds = workers, seeds
        self.budgets: list[float] = []
        self._clock = 1.0
        self._done, self._total = 0, 0

    def expect(self, settings: int, on_progress: Callable[[int, int], None]) -> None:
        """Tell how many settings there will be."""
        self._total, self._on_progress = settings * len(self._epochs) * self._seeds, on_progress

    def own(self, setting: Setting) -> Rehearsed:
        """The study's own setting to its own limits; what it takes is the budget of all that follow."""
        spec = self._spec
        limits = [
            {
                "trials": spec.most_trials,
                "budget_epochs": None
                if spec.budget_epochs is None
                else max(1.0, (spec.budget_epochs - _kept(spec)) * epochs / spec.budget),
                "enough": spec.enough,
            }
            for epochs in self._epochs
        ]
        ran = self._map(setting, limits)
        self.budgets = [
            _budget(float(np.mean([spent for spent, *_ in row])), limit["budget_epochs"], epochs)
            for row, limit, epochs in zip(ran, limits, self._epochs, strict=True)
        ]
        self._clock = float(np.mean([[clock for _, clock, *_ in row] for row in ran]))
        return self._summed(setting, ran)

    def run(self, setting: Setting) -> Rehearsed:
        """Another setting for the same epochs."""
        limits = [{"budget_epochs": setting.budget * budget} for budget in self.budgets]
        return self._summed(setting, self._map(setting, limits))

    def _map(self, setting: Setting, limits: Sequence[dict[str, Any]]) -> list[list[tuple[Any, ...]]]:
        spec = self._spec
        grace = 1 if spec.grace == "auto" else spec.grace
        jobs = [
            (table, setting, limits[table], max(1, round(self._workers * setting.workers)), seed,
             spec.eta if setting.scheduler == spec.scheduler else None,
             max(1, round(grace * self._epochs[table] / spec.epochs)),
             max(1, spec.finalists))
            for table in range(len(self._epochs))
            for seed in range(self._seeds)
        ]  # fmt: skip
        found = []
        for one in self._pool.imap(_search, jobs):
            found.append(one)
            self._done += 1
            self._on_progress(self._done, self._total)
        return [found[table * self._seeds : (table + 1) * self._seeds] for table in range(len(self._epochs))]

    def _summed(self, setting: Setting, ran: list[list[tuple[Any, ...]]]) -> Rehearsed:
        regrets = np.array([[regrets for *_, regrets in row] for row in ran])
        clock = float(np.mean([[clock for _, clock, *_ in row] for row in ran]))
        trials = float(np.mean([[trials for _, _, trials, _ in row] for row in ran]))
        return Rehearsed(setting, regrets, trials, clock / self._clock)


def _budget(spent: float, limit: float | None, whole: int) -> float:
    """Epochs for the others: as many as were spent, or the limit where what is left of it is less than a training."""
    return spent if limit is None or limit - spent >= whole else limit


_TASKS: list[Any] = []


def _prepare(tables: list[Table]) -> None:
    """In each process once: a table's forest takes a second to grow."""
    _TASKS.extend(table.task() for table in tables)


def _search(job: tuple[Any, ...]) -> tuple[int, float, int, list[float]]:
    """Epochs spent, time taken, trials begun, and regret at each share of what was spent."""
    index, setting, limits, workers, seed, eta, grace, finish = job
    task = _TASKS[index]
    found = simulate(
        task.space,
        task.curve,
        task.max_epochs,
        workers=workers,
        searcher=setting.searcher,
        scheduler=setting.scheduler,
        seed=seed,
        eta=eta,
        grace=grace,
        finish=finish,
        **limits,
    )
    table = found.history
    spent = int(table["epochs_spent"].max())
    regrets = [task.regret(found.best_at(max(1, share * spent))) for share in SHARES]
    return spent, float(table["clock"].max()), len(found.runs), regrets

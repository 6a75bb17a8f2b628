"""Who decides in a search, by the names that a study's spec uses."""

from __future__ import annotations

from collections.abc import Sequence

from search.decisions.budget import Budget
from search.decisions.folds import FoldScheduler
from search.decisions.history import History
from search.decisions.policy import Policy, Searcher
from search.decisions.scheduler import Scheduler
from search.forecast.forecast import Forecast
from search.schedulers import SCHEDULERS, make_scheduler
from search.searchers.registry import SEARCHERS, make_searcher
from search.spec import StudySpec
from spaces import InputError, SearchSpace
from spaces.errors import shown
from trainables.seeds import derive_seed


def make_parts(
    searcher: str | Searcher,
    scheduler: str | Scheduler,
    max_epochs: int,
    *,
    seed: int,
    grace: int = 1,
    eta: float | None = None,
    finish: int = 3,
    memory: Sequence[History] = (),
) -> tuple[Searcher, Scheduler]:
    """Searcher and scheduler; what both foresee is foreseen once.

    Args:
        searcher: Name, or one that is made already.
        scheduler: The same.
        max_epochs: Full budget of a trial (of its first fold, where it has several).
        seed: Of their random numbers.
        grace: First rung, epochs.
        eta: One in `eta` goes on at each rung; the scheduler's own if not given.
        finish: How many of the best trials shall have their full budget in the end.
        memory: What earlier studies of the same space saw; ``default`` alone learns from it.

    Raises:
        InputError: There is none of that name.
    """
    forecast = Forecast(derive_seed(seed, "forecast"), memory)
    if isinstance(searcher, str):
        if searcher not in SEARCHERS:
            raise InputError(f"a searcher must be one of {', '.join(SEARCHERS)}, but got {shown(searcher)}")
        searcher = make_searcher(searcher, derive_seed(seed, "searcher"), forecast)
    if isinstance(scheduler, str):
        if scheduler not in SCHEDULERS:
            raise InputError(
                f"a scheduler must be one of {', '.join(SCHEDULERS)}, but got {shown(scheduler)}"
            )
        scheduler = make_scheduler(
            scheduler,
            max_epochs,
            grace=grace,
            eta=eta,
            finish=finish,
            seed=derive_seed(seed, "scheduler"),
            forecast=forecast,
        )
    return searcher, scheduler


def policy_of(
    spec: StudySpec,
    space: SearchSpace,
    grace: int,
    budget: Budget | None = None,
    memory: Sequence[History] = (),
) -> Policy:
    """Who decides in a study, without anything seen yet.

    Args:
        spec: The study.
        space: Its space.
        grace: Its first rung, epochs.
        budget: What it may spend; without one, no limit.
        memory: What earlier studies saw.
    """
    searcher, scheduler = make_parts(
        spec.searcher,
        spec.scheduler,
        spec.epochs,
        seed=derive_seed(spec.seed, "decisions"),
        grace=grace,
        eta=spec.eta,
        finish=max(1, spec.finalists),
        memory=memory,
    )
    if spec.trainings > 1 and spec.scheduler != "none":
        scheduler = FoldScheduler(scheduler, spec.epochs, spec.trainings)
    return Policy(history_for(spec, space), searcher, scheduler, budget)


def history_for(spec: StudySpec, space: SearchSpace) -> History:
    """The history of a study that has seen nothing yet."""
    return History(
        space,
        spec.budget,
        spec.epochs if spec.trainings > 1 else None,
        timed=spec.time is not None or spec.gpu_hours is not None,
    )

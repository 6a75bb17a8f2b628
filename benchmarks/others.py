"""`benchmarks/search.py` with the searches of others beside the project's own: `make others`.

NePS wants other versions of pandas and more than the project is pinned to, so SMAC, DEHB, NePS and Syne Tune live in an
environment of their own, `.venv-others`. What is not installed there is left out with a message. Syne Tune's CQR takes
minutes a search.

Each gets the same simulated workers and the same account of epochs. A recipe that is to be trained longer goes on from
where it was, which is more than most of them ask for; one that diverged is told as the worst so far. SMAC is told which
parameters are conditional; of the others all are taken, and those of branches not taken are dropped. All else is as
each comes.

    .venv-others/bin/python benchmarks/others.py --seeds 5 --only SMAC DEHB NePS Syne default

ifBO of NePS needs a network of its own from elsewhere at run time, and is not here.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import _package
import numpy as np

from search.decisions.budget import UNLIMITED, Left
from search.decisions.history import History, Status
from search.decisions.scheduler import Decision, Stopping
from search.encoding import Encoding
from spaces import Choice, Float, Int, Leaf, Params, SearchSpace

ETA = 3
PLANNED = 300
"""Trials that SMAC is told of; it plans its first random ones by them."""
ATTEMPTS = 50
"""Jobs in a row whose answer is known already, before a random recipe is taken instead."""


class Tuner(Protocol):
    """What says how long to train which recipe, and is told what came of it."""

    def ask(self) -> tuple[object, Params, int]:
        """A job: what it calls it, its recipe, and up to which epoch."""
        ...

    def tell(self, job: object, cost: float) -> None:
        """What a job cost; less is better."""
        ...


class AskAndTell(Stopping):
    """Searcher and scheduler in one, by a tuner of jobs: a job ends with a pause, the next may go on from there.

    Args:
        make: A tuner for a space, a trial's full budget and a seed.
        seed: Its seed.
    """

    def __init__(self, make: Callable[[SearchSpace, int, int], Tuner], seed: int) -> None:
        self._make, self._seed = make, seed
        self._tuner: Tuner | None = None
        self._jobs: dict[int, tuple[object, int]] = {}  # trial → its job, and where that ends
        self._numbers: dict[tuple[tuple[str, object], ...], int] = {}
        self._next: tuple[object, Params, int] | None = None
        self._worst = -math.inf

    def resume(self, history: History, *, closing: bool, left: Left = UNLIMITED) -> int | None:
        """Ask for a job: of a trial that waits, or of a new recipe (which `propose` then gives)."""
        if closing:
            return None
        if self._tuner is None:
            self._tuner = self._make(history.space, history.max_epochs, self._seed)
        for number in [number for number in self._jobs if history[number].status is Status.FAILED]:
            self._tell(self._jobs.pop(number)[0], self._worst)
        for _ in range(ATTEMPTS):
            job, params, until = self._tuner.ask()
            number = self._numbers.get(_key(params))
            if number is None:
                self._next = job, params, until
                return None
            run = history[number]
            if run.status is Status.FAILED:
                self._tell(job, self._worst)
            elif run.epochs >= until:
                self._tell(job, -history.best_so_far(number)[until - 1])
            elif run.status is Status.PAUSED:
                self._jobs[number] = job, until
                return number
            else:  # it trains just now, for another job
                self._tell(job, -history.score(number))
        rng = np.random.default_rng([self._seed, len(history)])
        encoding = Encoding(history.space)
        self._next = None, encoding.decode(encoding.draw(rng, 1)[0]), history.max_epochs
        return None

    def propose(self, history: History, number: int) -> Params:
        """The recipe of the job that was asked for."""
        assert self._next is not None
        job, params, until = self._next
        self._numbers[_key(params)] = number
        self._jobs[number] = job, until
        return params

    def on_record(self, history: History, number: int, epoch: int, score: float) -> Decision:
        """Pause where the job ends."""
        self._worst = max(self._worst, -score)
        job, until = self._jobs[number]
        if epoch < until:
            return Decision.CONTINUE
        del self._jobs[number]
        self._tell(job, -score)
        return Decision.PAUSE

    def _tell(self, job: object, cost: float) -> None:
        """Nothing is told of a recipe that was not asked for; what is not known is 0."""
        if job is not None and self._tuner is not None:
            self._tuner.tell(job, cost if math.isfinite(cost) else 0.0)


def _key(params: Params) -> tuple[tuple[str, object], ...]:
    return tuple(sorted(params.items()))


def steps(leaf: Leaf) -> int | None:
    """How many steps a grid has; none where every number counts or the domain is a choice."""
    if isinstance(leaf, Choice) or leaf.log or leaf.step is None:
        return None
    return round((leaf.high - leaf.low) / leaf.step)


def at(leaf: Leaf, value: Any) -> Any:
    """A domain's value from what stands for it: the place on a grid, that of an option, or the number."""
    if isinstance(leaf, Choice):
        return leaf.options[int(value)]
    if steps(leaf) is not None:
        return leaf.nearest(leaf.low + int(value) * (leaf.step or 1))
    return leaf.nearest(int(value) if isinstance(leaf, Int) else float(value))


def recipe(space: SearchSpace, values: dict[str, Any]) -> Params:
    """The parameters of the branches taken."""
    return space.draw(lambda name, leaf: at(leaf, values[name]) if name in values else leaf.baseline())


def varying(space: SearchSpace) -> dict[str, Leaf]:
    """What there is to propose: not every library takes a parameter of one value."""
    return {name: leaf for name, leaf in space.leaves().items() if not leaf.is_fixed}


def configuration_space(space: SearchSpace, seed: int, *, conditions: bool) -> Any:
    """The space as ConfigSpace has it."""
    import ConfigSpace as cs  # noqa: N813

    made = cs.ConfigurationSpace(seed=seed)
    leaves = varying(space)
    for name, leaf in leaves.items():
        if isinstance(leaf, Choice):
            made.add(cs.CategoricalHyperparameter(name, list(range(len(leaf.options)))))
        elif (count := steps(leaf)) is not None:
            made.add(cs.UniformIntegerHyperparameter(name, 0, count))
        elif isinstance(leaf, Float):
            made.add(cs.UniformFloatHyperparameter(name, leaf.low, leaf.high, log=leaf.log))
        else:
            made.add(cs.UniformIntegerHyperparameter(name, leaf.low, leaf.high, log=leaf.log))
    for name in leaves if conditions else ():
        if "." in name:
            switch, branch, _ = name.rsplit(".", 2)
            if switch not in leaves:
                continue
            place = [str(option) for option in leaves[switch].options].index(branch)
            made.add(cs.EqualsCondition(made[name], made[switch], place))
    return made


class Smac:
    """SMAC's multi-fidelity facade: Hyperband and a random forest."""

    def __init__(self, space: SearchSpace, max_epochs: int, seed: int) -> None:
        from smac import MultiFidelityFacade, Scenario

        self._space = space
        scenario = Scenario(
            configuration_space(space, seed, conditions=True),
            deterministic=True,
            n_trials=PLANNED,
            min_budget=1,
            max_budget=max_epochs,
            seed=seed,
            output_directory=Path(tempfile.mkdtemp()),
        )
        self._facade = MultiFidelityFacade(
            scenario, lambda config, seed, budget: 0.0, overwrite=True, logging_level=logging.ERROR
        )

    def ask(self) -> tuple[object, Params, int]:
        """The next configuration and budget."""
        info = self._facade.ask()
        return info, recipe(self._space, dict(info.config)), max(1, round(info.budget))

    def tell(self, job: Any, cost: float) -> None:
        """The cost at the budget."""
        from smac.runhistory import TrialValue

        self._facade.tell(job, TrialValue(cost=cost), save=False)


class Dehb:
    """DEHB: differential evolution under Hyperband."""

    def __init__(self, space: SearchSpace, max_epochs: int, seed: int) -> None:
        from dehb import DEHB

        self._space = space
        self._dehb = DEHB(
            cs=configuration_space(space, seed, conditions=False),
            min_fidelity=1,
            max_fidelity=max_epochs,
            eta=ETA,
            n_workers=1,
            seed=seed,
            save_freq=None,
            log_level="ERROR",
            output_path=tempfile.mkdtemp(),
        )

    def ask(self) -> tuple[object, Params, int]:
        """The next configuration and fidelity."""
        job = self._dehb.ask()
        return job, recipe(self._space, dict(job["config"])), max(1, round(job["fidelity"]))

    def tell(self, job: Any, cost: float) -> None:
        """The fitness at the fidelity."""
        self._dehb.tell(job, {"fitness": cost, "cost": float(job["fidelity"])})


class Neps:
    """NePS's PriorBand (without priors) or asynchronous Hyperband."""

    def __init__(self, space: SearchSpace, max_epochs: int, seed: int, algorithm: str) -> None:
        import neps
        import torch

        np.random.seed(seed)  # its generators are the global ones
        torch.manual_seed(seed)
        self._space, self._max_epochs = space, max_epochs
        self._names = {f"p{index}": name for index, name in enumerate(varying(space))}
        domains: dict[str, Any] = {"epochs": neps.IntegerFidelity(1, max_epochs)}
        for short, name in self._names.items():
            leaf = space.leaves()[name]
            if isinstance(leaf, Choice):
                domains[short] = neps.Categorical(tuple(range(len(leaf.options))))
            elif (count := steps(leaf)) is not None:
                domains[short] = neps.Integer(0, count)
            elif isinstance(leaf, Float):
                domains[short] = neps.Float(leaf.low, leaf.high, log=leaf.log)
            else:
                domains[short] = neps.Integer(leaf.low, leaf.high, log=leaf.log)
        made = type("Space", (neps.PipelineSpace,), domains)()
        self._tuner = neps.AskAndTell(getattr(neps.algorithms, algorithm)(made, eta=ETA))

    def ask(self) -> tuple[object, Params, int]:
        """The next configuration and fidelity."""
        trial = self._tuner.ask()
        values = {name: trial.config[short] for short, name in self._names.items()}
        return trial, recipe(self._space, values), max(1, round(trial.config["epochs"]))

    def tell(self, job: Any, cost: float) -> None:
        """The objective at the fidelity."""
        self._tuner.tell(job, cost)


class SyneTune(Stopping):
    """A scheduler of Syne Tune that stops trials, with its searcher.

    Args:
        name: In `syne_tune.optimizer.baselines`.
        seed: Its seed.
    """

    def __init__(self, name: str, seed: int) -> None:
        self._name, self._seed = name, seed
        self._scheduler: Any = None
        self._trials: dict[int, Any] = {}

    def propose(self, history: History, number: int) -> Params:
        """What it suggests."""
        from syne_tune.backend.trial_status import Trial

        if self._scheduler is None:
            self._scheduler = self._made(history.space, history.max_epochs)
        config = self._scheduler.suggest().config
        self._trials[number] = Trial(number, config, creation_time=None)
        self._scheduler.on_trial_add(self._trials[number])
        return recipe(history.space, config)

    def _made(self, space: SearchSpace, max_epochs: int) -> Any:
        from syne_tune import config_space as cs
        from syne_tune.optimizer import baselines

        domains: dict[str, Any] = {}
        for name, leaf in varying(space).items():
            if isinstance(leaf, Choice):
                domains[name] = cs.choice(list(range(len(leaf.options))))
            elif (count := steps(leaf)) is not None:
                domains[name] = cs.randint(0, count)
            elif isinstance(leaf, Float):
                domains[name] = (cs.loguniform if leaf.log else cs.uniform)(leaf.low, leaf.high)
            else:
                domains[name] = (cs.lograndint if leaf.log else cs.randint)(leaf.low, leaf.high)
        np.random.seed(self._seed)  # it draws brackets from the global one
        return getattr(baselines, self._name)(
            domains, "score", time_attr="epoch", max_t=max_epochs, do_minimize=False, random_seed=self._seed
        )

    def on_record(self, history: History, number: int, epoch: int, score: float) -> Decision:
        """What it decides."""
        told = self._scheduler.on_trial_result(self._trials[number], {"score": score, "epoch": epoch})
        return Decision.STOP if told == "STOP" else Decision.CONTINUE


def told(make: Callable[[SearchSpace, int, int], Tuner]) -> Callable[[int], dict[str, Any]]:
    """A method of the table, by a tuner that is asked and told."""

    def method(seed: int) -> dict[str, Any]:
        both = AskAndTell(make, seed)
        return {"searcher": both, "scheduler": both}

    return method


def synetune(name: str) -> Callable[[int], dict[str, Any]]:
    """A method of the table, by one of Syne Tune's schedulers."""

    def method(seed: int) -> dict[str, Any]:
        both = SyneTune(name, seed)
        return {"searcher": both, "scheduler": both}

    return method


METHODS: dict[str, tuple[str, Callable[[int], dict[str, Any]]]] = {
    "SMAC, multi-fidelity": ("smac", told(Smac)),
    "DEHB": ("dehb", told(Dehb)),
    "NePS's PriorBand, without priors": ("neps", told(lambda *given: Neps(*given, "priorband"))),
    "NePS's asynchronous Hyperband": ("neps", told(lambda *given: Neps(*given, "async_hb"))),
    "Syne Tune's ASHA, random": ("syne_tune", synetune("ASHA")),
    "Syne Tune's ASHA, CQR": ("syne_tune", synetune("ASHACQR")),
    "Syne Tune's BOHB": ("syne_tune", synetune("BOHB")),
}
"""Name in the table → package, method."""


def main() -> None:
    """The table of `benchmarks/search.py` with theirs in it."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    benchmark = _package.script("search")
    for name, (package, method) in METHODS.items():
        if importlib.util.find_spec(package) is None:
            print(f"left out: {name}, which is not installed")
        else:
            benchmark.METHODS[name] = method
    benchmark.main()


if __name__ == "__main__":
    main()

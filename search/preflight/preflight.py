"""A study looked at before it begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.answer.race import most_trainings
from search.execution.cores import MIB, within_memory
from search.preflight.outlook import Outlook, judged, outlook, searched
from search.preparation import Prepared
from search.spec import StudySpec
from search.view import words
from spaces import Choice, Float, InputError, Int, Params, SearchSpace
from trainables.config import MEASURED, Fixed
from trainables.preflight.result import Result, Verdict, warning

if TYPE_CHECKING:
    from search.execution.resources import Resources
    from trainables.preflight.look import Looked, Picture

SHARE = 0.04
"""Of what a study takes that a single check may take where it is made by the way: two of them train."""

SLACK = 3.0
"""Factor by which a suggestion may lie outside of a range: no ramp knows it better."""

AROUND = 10.0
"""Factor below and above a suggested learning rate that is searched where the range is centred on it."""


@dataclass(frozen=True)
class Preflight:
    """What was seen.

    Args:
        study: The study's name.
        results: Of each check, in their order, the forecast's after them.
        rates: Strategy → what its ramp says.
        outlook: What the study will take; none where nothing could be measured.
        pictures: What augmentation makes of some images.
        settled: What was measured and taken: arithmetic, device, compiling, trials at a time.
        fixed: The study's constants, with what was decided.
        memory: Peak of a trial, MiB; none where nothing could be measured.
        seconds: How long it took.
    """

    study: str
    results: tuple[Result, ...]
    rates: Mapping[str, Result]
    outlook: Outlook | None
    pictures: tuple[Picture, ...]
    settled: Mapping[str, Any]
    fixed: Fixed
    memory: float | None
    seconds: float

    @property
    def blockers(self) -> list[Result]:
        """What makes the study meaningless."""
        return [one for one in self.results if one.verdict is Verdict.BLOCKER]

    @property
    def warnings(self) -> list[Result]:
        """What makes it worse than it could be."""
        return [one for one in self.results if one.verdict is Verdict.WARNING]

    def to_dict(self) -> dict[str, Any]:
        """As plain data, without the pictures."""
        return {
            "study": self.study,
            "results": [one.to_dict() for one in self.results],
            "rates": {name: one.to_dict() for name, one in self.rates.items()},
            "outlook": None if self.outlook is None else self.outlook.__dict__,
            "settled": dict(self.settled),
            "seconds": self.seconds,
        }


def examine(
    spec: StudySpec,
    space: SearchSpace,
    prepared: Prepared,
    fixed: Fixed,
    resources: Resources,
    compute: Callable[..., Looked],
    store: Path,
    *,
    short: bool = False,
) -> Preflight:
    """Look at a study that is prepared.

    Args:
        spec: The study.
        space: Its space.
        prepared: Its data and weights.
        fixed: Its constants, every ``auto`` decided.
        resources: Of its trials.
        compute: Calls a function where the device is.
        store: Where the study will be kept.
        short: Leave out what would take much beside the study itself, and all strategies but the baseline's.
    """
    from trainables.preflight.look import look

    material = prepared.material
    epochs = searched(spec, space, prepared.grace, resources.workers)[1]
    epochs += most_trainings(spec.finalists, spec.finalist_seeds) * spec.budget
    how = partial(
        look,
        factory=spec.trainable,
        seed=spec.seed,
        threads=spec.threads,
        allowance=SHARE * epochs / resources.workers if short else None,
    )
    judging = material.fold(0) if material.folds else material
    looked = compute(how, recipes_of(space), fixed, judging)
    results = [*looked.results, *missed(space, looked.rates)]
    told = None
    memory = None if looked.cost is None else looked.cost.memory
    fitting = within_memory(spec, resources, memory)
    if looked.cost is not None:
        told = outlook(spec, space, prepared.grace, looked.cost, fitting)
        results += judged(spec, told, store)
    if fitting.workers < resources.workers:
        results.append(fewer(fitting.workers, resources.workers, memory or 0.0))
    settled = {name: getattr(fixed, name) for name in MEASURED}
    settled |= {"workers": fitting.workers, "threads": spec.threads}
    if looked.cost is not None:
        settled["micro_batch"] = looked.cost.micro
    return Preflight(
        spec.name, tuple(results), looked.rates, told, looked.pictures, settled, fixed, memory, looked.seconds
    )


def fewer(workers: int, cores: int, memory: float) -> Result:
    """That memory has room for fewer trials than there are cores for."""
    return warning(
        "memory", "fewer_at_once",
        f"memory has room for {words.count(workers, 'trial')} at a time, where there are cores for {cores}: one takes "
        f"{words.size(memory * MIB)}",
        "Let a pass keep less (--set micro_batch=N, gradient_checkpointing=true), or search smaller batches.",
        workers=workers, cores=cores,
    )  # fmt: skip


def recipes_of(space: SearchSpace) -> Mapping[str, Params]:
    """Strategy → the recipe that is the baseline but for it; the baseline itself first."""
    from search.feasibility import branches

    baseline = space.baseline()
    found: dict[str, Params] = {str(baseline.get("strategy", "baseline")): baseline}
    for params in branches(space):
        found.setdefault(str(params.get("strategy", "baseline")), params)
    return found


def rate_of(space: SearchSpace, strategy: str) -> tuple[str, Float | Int] | None:
    """The parameter that is a strategy's learning rate, where the space searches it over a range."""
    name = f"strategy.{strategy}.lr"
    leaf = space.leaves().get(name)
    return None if leaf is None or isinstance(leaf, Choice) else (name, leaf)


def missed(space: SearchSpace, rates: Mapping[str, Result]) -> list[Result]:
    """A warning for each strategy whose range of learning rates does not hold what its ramp suggests."""
    found = []
    for strategy, result in rates.items():
        at = rate_of(space, strategy)
        suggested = result.figures.get("suggested")
        if at is None or suggested is None or not result.figures.get("fell", False):
            continue
        name, leaf = at
        if leaf.low / SLACK <= suggested <= leaf.high * SLACK:
            continue
        low, high = around(suggested)
        says = (
            f"{name} is searched in [{words.number(leaf.low)}, {words.number(leaf.high)}], but the ramp suggests "
            f"{words.number(suggested)}, {'below' if suggested < leaf.low else 'above'} it"
        )
        remedy = f"--set {name}=[{low:.1g},{high:.1g}], or --center-lr for all strategies."
        found.append(warning("range", "range_misses", says, remedy, strategy=strategy))
    return found


def around(suggested: float) -> tuple[float, float]:
    """The range that is centred on a suggested learning rate."""
    return suggested / AROUND, suggested * AROUND


def centered(spec: StudySpec, space: SearchSpace, rates: Mapping[str, Result]) -> StudySpec:
    """The study with each strategy's range of learning rates centred on what its ramp suggests."""
    narrow = dict(spec.narrow)
    for strategy, result in rates.items():
        at = rate_of(space, strategy)
        if at is None or not result.figures.get("fell", False):
            continue
        low, high = (float(f"{one:.2g}") for one in around(result.figures["suggested"]))
        narrow[at[0]] = {"low": low, "high": high, "default": float(f"{result.figures['suggested']:.2g}")}
    return spec.model_copy(update={"narrow": narrow})


def refuse(seen: Preflight) -> None:
    """Raise what makes a study meaningless.

    Raises:
        InputError: There is something.
    """
    if seen.blockers:
        worst = seen.blockers[0]
        raise InputError(
            f"preflight: {worst.says}. {worst.remedy} (`finetune-search preflight` shows all; --set preflight=false "
            "runs all the same)"
        )


def remarks(seen: Preflight) -> list[str]:
    """Warnings as sentences."""
    return [f"{one.says}. {one.remedy}".rstrip() for one in seen.warnings]

"""All checks of a set-up, in the order in which one explains the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from trainables.preflight.checks.first_loss import check_first_loss
from trainables.preflight.checks.gradients import check_gradients
from trainables.preflight.checks.inputs import check_inputs
from trainables.preflight.checks.labels import check_labels
from trainables.preflight.checks.leaks import check_leaks
from trainables.preflight.checks.learning_rate import check_learning_rate
from trainables.preflight.checks.meaning import check_meaning
from trainables.preflight.checks.modes import check_modes
from trainables.preflight.checks.outputs import check_outputs
from trainables.preflight.checks.overfit import check_overfit
from trainables.preflight.checks.splits import check_splits
from trainables.preflight.checks.updates import check_updates
from trainables.preflight.result import Result, Verdict, blocker, skipped
from trainables.preflight.setup import Setup


@dataclass(frozen=True)
class Check:
    """One check.

    Args:
        name: Its name for programs.
        title: For people.
        make: Looks.
        steps: Steps of training that it takes, about.
        trains: Whether the network must compute what it should for it to say anything.
    """

    name: str
    title: str
    make: Callable[[Setup], Iterator[Result]]
    steps: int = 0
    trains: bool = True


CHECKS: tuple[Check, ...] = (
    Check("labels", "Labels", check_labels, trains=False),
    Check("inputs", "Inputs", check_inputs, trains=False),
    Check("splits", "Training and validation alike", check_splits, trains=False),
    Check("leaks", "Nothing leaks", check_leaks, trains=False),
    Check("outputs", "Outputs", check_outputs),
    Check("meaning", "Labels belong to images", check_meaning),
    Check("first_loss", "First loss", check_first_loss),
    Check("modes", "Evaluation", check_modes),
    Check("gradients", "Gradients", check_gradients, steps=2),
    Check("updates", "First step", check_updates, steps=1),
    Check("overfit", "Ten images by heart", check_overfit, steps=60),
    Check("learning_rate", "Learning rate", check_learning_rate, steps=90),
)


def preflight(
    setup: Setup, checks: Sequence[Check] = CHECKS, tell: Callable[[str], None] = lambda text: None
) -> Iterator[Result]:
    """Look at a set-up. The first blocker ends it: what comes after would only echo it.

    Args:
        setup: What is about to be trained; see `Setup.of` for a loop of one's own.
        checks: Which checks are made, in their order.
        tell: Told what is being looked at, in a few words.
    """
    blocked = ""
    for check in checks:
        if blocked:
            yield skipped(check.name, f"nothing can be said while {blocked} is wrong")
            continue
        tell(check.title.lower())
        for result in made(check, setup):
            if result.verdict is Verdict.BLOCKER:
                blocked = result.check
            yield result


def made(check: Check, setup: Setup) -> Iterator[Result]:
    """What one check says; code of the user's own that raises is said too, and not raised."""
    try:
        yield from check.make(setup)
    except Exception as error:  # whatever it is, it would be raised in each trial
        yield blocker(
            check.name,
            "raises",
            f"{type(error).__name__}: {error}",
            "Each trial would fail in the same way; mend what raises it.",
        )

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
        make: Looks.
        steps: Steps of training that it takes, about.
    """

    name: str
    make: Callable[[Setup], Iterator[Result]]
    steps: int = 0


CHECKS: tuple[Check, ...] = (
    Check("labels", check_labels),
    Check("inputs", check_inputs),
    Check("splits", check_splits),
    Check("leaks", check_leaks),
    Check("outputs", check_outputs),
    Check("meaning", check_meaning),
    Check("first_loss", check_first_loss),
    Check("modes", check_modes),
    Check("gradients", check_gradients, steps=2),
    Check("updates", check_updates, steps=1),
    Check("overfit", check_overfit, steps=60),
    Check("learning_rate", check_learning_rate, steps=90),
)


def preflight(
    setup: Setup, checks: Sequence[Check] = CHECKS, left_out: Callable[[Check], str] = lambda check: ""
) -> Iterator[Result]:
    """Look at a set-up. The first blocker ends it: what comes after would only echo it.

    Code of the user's own that raises is told as a blocker, and not raised: it would be raised in each trial.

    Args:
        setup: What is about to be trained; see `Setup.of` for a loop of one's own.
        checks: Which checks are made, in their order.
        left_out: Check → why it is not made; empty for those that are. Asked just before.
    """
    blocked = ""
    for check in checks:
        if blocked:
            yield skipped(check.name, f"nothing can be said while {blocked} is wrong")
            continue
        try:
            why = left_out(check)
            found = [skipped(check.name, why)] if why else list(check.make(setup))
        except Exception as error:  # whatever it is
            found = [
                blocker(
                    check.name,
                    "raises",
                    f"{type(error).__name__}: {error}",
                    "Each trial would fail in the same way; mend what raises it.",
                )
            ]
        if any(one.verdict is Verdict.BLOCKER for one in found):
            blocked = check.name
        yield from found

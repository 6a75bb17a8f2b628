"""The learning rate that a short ramp speaks for, and how far the recipe's own is from it."""

from __future__ import annotations

from collections.abc import Iterator

from trainables.preflight.ramp import ramp
from trainables.preflight.result import Result, passed, warning
from trainables.preflight.setup import Setup
from trainables.preflight.suggestion import suggest

FAR = 100.0
"""Factor between the recipe's rate and the suggested one above which something is wrong: a search covers less."""


def check_learning_rate(setup: Setup) -> Iterator[Result]:
    """A ramp over a hundred steps; see `trainables.preflight.ramp`."""
    found = ramp(setup)
    told = suggest(found)
    figures = {
        "rates": list(found.rates),
        "losses": list(found.losses),
        "suggested": told.rate,
        "steepest": told.steepest,
        "valley": told.valley,
        "apart": told.apart,
        "fell": told.fell,
    }
    said = (
        f"in a ramp the loss falls steepest at {told.steepest:.1g} and comes apart at {told.apart:.1g}: "
        f"{told.rate:.1g} is suggested"
    )
    if not told.fell:
        yield warning(
            "learning_rate", "loss_does_not_fall",
            f"no learning rate from {found.rates[0]:.0e} to {found.rates[-1]:.0e} makes the loss fall",
            "Nothing is learnt at any rate: loss, labels or gradients are at fault; see the other checks.", **figures,
        )  # fmt: skip
        return
    if setup.rate > FAR * told.rate or setup.rate > told.apart:
        yield warning(
            "learning_rate", "rate_too_high", f"the recipe's learning rate is {setup.rate:.1g}, but {said}",
            "Search lower learning rates (`--center-lr` centres the range on what is suggested).", **figures,
        )  # fmt: skip
    elif setup.rate < told.rate / FAR:
        yield warning(
            "learning_rate", "rate_too_low", f"the recipe's learning rate is {setup.rate:.1g}, but {said}",
            "Search higher learning rates (`--center-lr` centres the range on what is suggested).", **figures,
        )  # fmt: skip
    else:
        yield passed("learning_rate", f"{said}, the recipe has {setup.rate:.1g}", **figures)

"""What a search's trials say of a hypothesis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.answer.estimate import NORMAL
from search.decisions.history import History
from search.forecast.gaussian import Array
from search.hypotheses.claim import Claim, Relation, claim_in
from search.insight.surface import Marginal, Surface


@dataclass(frozen=True)
class Outcome:
    """What came of a hypothesis.

    Args:
        text: The hypothesis.
        verdict: ``supported``, ``contradicted``, ``too close to tell``, or ``not judged``.
        evidence: Why, in a sentence.
        at: When, ISO 8601.
    """

    text: str
    verdict: str
    evidence: str
    at: str = ""

    def noted(self) -> dict[str, Any]:
        """As JSON has it."""
        return dict(vars(self))


def judge(text: str, history: History, seed: int = 0) -> Outcome:
    """Compare the values that a hypothesis calls better with the parameter's others, over all else that may vary.

    Args:
        text: The hypothesis, a sentence.
        history: The search.
        seed: Of what is drawn at random.
    """
    try:
        surface = Surface(history, seed)
    except ValueError:
        return Outcome(text, "not judged", "There are too few trials.")
    variation = surface.variation
    values = {name: variation.values(name) for name in variation.names}
    claim = claim_in(text, values)
    if claim is None:
        return Outcome(
            text,
            "not judged",
            "No single parameter of the space is said to be better in some way, as in `dropout > 0.2` or "
            "`stronger augmentation helps`.",
        )
    marginal = surface.marginal(claim.parameter)
    weights = _weights(claim, marginal)
    if weights is None:
        return Outcome(
            text, "not judged", f"Every value of {claim.parameter} that was looked at is on one side."
        )
    apart = float(weights @ marginal.levels)
    error = math.sqrt(max(float(weights @ marginal.covariance @ weights), 0.0))
    gain, margin = marginal.slope * apart, marginal.slope * NORMAL * error
    trials = sum(variation.has(claim.parameter, run.params) for run in history)
    verdict = "too close to tell"
    if abs(apart) > NORMAL * error:
        verdict = "supported" if apart > 0 else "contradicted"
    evidence = f"That {claim}: by {gain:+.3f} ± {margin:.3f} in the mean score, over {trials} trials."
    return Outcome(text, verdict, evidence)


def _weights(claim: Claim, marginal: Marginal) -> Array | None:
    """What takes the mean over the values called better less the mean over the others; they sum to 0."""
    values = marginal.values
    if claim.relation in {Relation.MORE, Relation.LESS}:
        # The upper half against the lower one; a middle value is on neither side.
        half = len(values) // 2
        better = np.zeros(len(values), dtype=bool)
        better[-half:] = True
        others = np.zeros(len(values), dtype=bool)
        others[:half] = True
        if claim.relation is Relation.LESS:
            better, others = others, better
    else:
        better = np.array([_is_better(claim, value) for value in values])
        others = ~better
    if not better.any() or not others.any():
        return None
    found: Array = better / better.sum() - others / others.sum()
    return found


def _is_better(claim: Claim, value: Any) -> bool:
    if claim.relation is Relation.IS:
        return bool(value == claim.value)
    return bool(value > claim.value if claim.relation is Relation.ABOVE else value < claim.value)

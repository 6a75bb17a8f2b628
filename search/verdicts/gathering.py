"""Regions of the space in which trainings do not work."""

from __future__ import annotations

from search.gathering.gathering import Shown, gatherings
from search.verdicts.verdict import Case, Verdict
from trainables.diagnosis.kinds.divergence import FAMILY
from trainables.diagnosis.registry import KINDS


def where_it_fails(case: Case) -> list[Verdict]:
    """Where trials diverge, overfit, learn nothing and so on, for each kind of diagnosis that gathers somewhere."""
    trials = [
        Shown(
            run.params,
            case.diagnoses.get(run.number, frozenset()) | ({FAMILY} if run.diverged else frozenset()),
            run.epochs,
        )
        for run in case.history
    ]
    found = []
    for one in gatherings(case.history.space, trials):
        kind = KINDS[one.kind]
        title = "diverging region" if one.kind == FAMILY else f"region of {one.kind.replace('_', ' ')}"
        says = f"Trainings with {one.where} {kind.did}."
        either = f"Narrow the range, or {kind.advice}" if one.settings else kind.advice.capitalize()
        evidence = f"{either}: {one.hits} of {one.inside} trials there, and {one.others} of all others."
        found.append(Verdict(title, says, evidence, one.settings))
    return found

"""All that the page shows, as one value: the page is a function of it and of nothing else."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from search.answer.answer import Answer, Confirmed
from search.answer.changes import Changes
from search.answer.estimate import Estimate
from search.hypotheses.log import Entry
from search.insight.insight import Insight
from search.inspection.inspection import Inspection
from search.result import StudyResult, TrialSummary
from search.spec import StudySpec
from search.verdicts.verdict import Verdict
from search.view.answer import sentences
from search.view.leaderboard import winner_of
from spaces import SearchSpace

MARK = "finetune-search report"
"""In every file that we write: only what bears it is written over."""


@dataclass(frozen=True)
class Report:
    """A study as it stands.

    Args:
        result: What it found.
        spec: What it is.
        space: What its recipes are drawn from.
        insight: What its trials say.
        verdicts: What is to be said of it, in the order in which it is said.
        curves: Trial's number → its score after each epoch; of a trial with several folds, of the first.
        elsewhere: The option that names its store, where that is another than the working folder's.
        made: When it was looked at.
        earlier: Other studies of the same data.
        inspection: What was found of the winner's network, where it was looked at.
    """

    result: StudyResult
    spec: StudySpec
    space: SearchSpace
    insight: Insight = field(default_factory=Insight)
    verdicts: Sequence[Verdict] = ()
    curves: Mapping[int, Sequence[tuple[int, float]]] = field(default_factory=dict)
    elsewhere: str = ""
    made: str = ""
    earlier: Sequence[Entry] = ()
    inspection: Inspection | None = None

    @property
    def winner(self) -> TrialSummary | None:
        """The winner, or none where no trial is COMPLETE."""
        return winner_of(self.result)

    @property
    def baseline(self) -> int | None:
        """The number of the trial that tried the ordinary recipe, where one did."""
        ordinary = self.space.baseline()
        return next((trial.number for trial in self.result.trials if trial.params == ordinary), None)

    def to_dict(self) -> dict[str, Any]:
        """As plain data that JSON can carry; what is no number is null."""
        winner, result = self.winner, self.result
        found = {
            "made_by": MARK,
            "made": self.made,
            "study": result.name,
            "data": self.spec.data,
            "model": self.spec.model,
            "epochs": result.epochs or self.spec.budget,
            "states": Counter(trial.state for trial in result.trials),
            "winner": None if winner is None else {"number": winner.number, "params": dict(winner.params)},
            "sentences": sentences(result, self.spec),
            "hypothesis": None if result.outcome is None else result.outcome.noted(),
            "answer": None if result.answer is None else _answer(result.answer),
            "verdicts": [
                {
                    "kind": one.kind,
                    "says": one.says,
                    "evidence": one.evidence,
                    "command": one.command(result.name) + self.elsewhere if one.settings else None,
                }
                for one in self.verdicts
            ],
            "insight": self.insight.to_dict(),
            "other_studies_of_the_data": [
                {
                    "study": one.study,
                    "best": one.best,
                    "hypothesis": one.hypothesis or None,
                    "outcome": None if one.outcome is None else one.outcome.noted(),
                }
                for one in self.earlier
            ],
            "inspection": None if self.inspection is None else _inspection(self.inspection),
            "changes": None if result.changes is None else _changes(result.changes),
            "account": None if result.account is None else result.account.metrics(),
            "trials": [
                {
                    "number": trial.number,
                    "state": trial.state,
                    "score": trial.score,
                    "epochs": trial.epochs,
                    "seconds": trial.seconds,
                    "reason": trial.reason,
                    "diagnosis": [one.to_dict() for one in trial.diagnosis],
                    "params": dict(trial.params),
                    "curve": [list(point) for point in self.curves.get(trial.number, ())],
                }
                for trial in result.trials
            ],
        }
        plain: dict[str, Any] = _finite(found)
        return plain


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "winner": _confirmed(answer.winner),
        "baseline": None if answer.baseline is None else _confirmed(answer.baseline),
        "difference": _estimate(answer.difference),
        "verdict": None if answer.difference is None else answer.difference.verdict,
        "finalists": [_confirmed(one) for one in answer.finalists],
        "optimism": answer.optimism,
        "openings": list(answer.openings),
        "left": answer.left,
    }


def _confirmed(one: Confirmed) -> dict[str, Any]:
    return {
        "label": one.label,
        "number": one.number,
        "params": dict(one.params),
        "race": list(one.race),
        "val": list(one.val),
        "test": list(one.test),
        "estimate": _estimate(one.estimate),
        "soundness": None if one.soundness is None else one.soundness.to_dict(),
    }


def _inspection(one: Inspection) -> dict[str, Any]:
    """Without its pictures."""
    found = one.to_dict()
    for miss in found["misses"]:
        for shown in (miss, *miss["alike"]):
            del shown["picture"]
    return found


def _estimate(one: Estimate | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"value": one.value, "margin": one.margin, "seeds": one.seeds, "images": one.images}


def _changes(changes: Changes) -> dict[str, Any]:
    return {
        "params": dict(changes.params),
        "seeds": changes.seeds,
        "left": changes.left,
        "changes": [
            {
                "parameter": one.parameter,
                "before": one.before,
                "after": one.after,
                "scores": {str(seed): score for seed, score in one.scores.items()},
                "failed": one.failed,
                "effect": one.effect,
                "margin": one.margin,
                "verdict": one.verdict,
            }
            for one in changes.changes
        ],
    }


def _finite(value: Any) -> Any:
    """The same without infinities and NaN, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value

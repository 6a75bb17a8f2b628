"""A verdict on a study, and what it is given on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from search.answer.answer import Answer
from search.answer.changes import Changes
from search.decisions.history import History
from search.insight.insight import Insight
from spaces import Params
from trainables.protocol import EpochRecord


@dataclass(frozen=True)
class Verdict:
    """Something about a study that its user should act on.

    Args:
        kind: Which, in words: ``best value at the edge``.
        says: What is wrong, in a sentence.
        evidence: What was seen, in a sentence with its figures.
        settings: What to change, as ``run`` takes it: ``--epochs 54``; empty where no setting follows.
    """

    kind: str
    says: str
    evidence: str
    settings: Sequence[str] = ()

    def command(self, study: str) -> str:
        """What to type; empty where nothing follows.

        Args:
            study: The study's name.
        """
        if not self.settings:
            return ""
        return f"finetune-search run --like {study} --name {study}-2 {' '.join(self.settings)}"


@dataclass(frozen=True)
class Case:
    """What verdicts are given on.

    Args:
        epochs: Full budget of a trial (of its first fold).
        history: The search's trials.
        winner: The winner's recipe; none where there is no winner.
        insight: What the trials say.
        trainings: Records of each training of the winner's recipe.
        answer: The confirmation's, where there is one.
        changes: What changing the winner does, where that was tried.
        images: How many the validation split has; none where that is not known.
        diagnoses: Trial's number → under which names its diagnoses are counted.
    """

    epochs: int
    history: History
    winner: Params | None
    insight: Insight
    trainings: Sequence[Sequence[EpochRecord]] = ()
    answer: Answer | None = None
    changes: Changes | None = None
    images: int | None = None
    diagnoses: Mapping[int, frozenset[str]] = field(default_factory=dict)

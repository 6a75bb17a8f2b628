"""What a study found, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from optuna.trial import FrozenTrial, TrialState

from search.account import KINDS, Account, spent
from search.ledger import records_of
from search.score import score_of
from spaces import Params
from trainables.protocol import SECONDS

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class TrialSummary:
    """One trial of a search.

    Args:
        number: In the ledger.
        state: ``COMPLETE``, ``PRUNED``, ``FAIL``, ``RUNNING`` or ``WAITING``.
        params: Its recipe.
        score: Its best validation score (the mean over its folds), or none before the first record.
        epochs: Epochs recorded.
        seconds: Seconds that its epochs took.
        reason: Why it was stopped or failed, or ended itself before its full budget.
        checkpoint: Path or URL of its best weights, where they are kept.
        run_id: Its run in MLflow, where known.
        spent: What its seconds went into (a kind of `search.account.KINDS` → seconds), those around its epochs
            included.
    """

    number: int
    state: str
    params: Params
    score: float | None
    epochs: int
    seconds: float
    reason: str = ""
    checkpoint: str | None = None
    run_id: str | None = None
    spent: Mapping[str, float] = field(default_factory=dict)


def summarise(trial: FrozenTrial, checkpoint: str | None = None, run_id: str | None = None) -> TrialSummary:
    """A trial of the ledger as a summary."""
    records = records_of(trial)
    return TrialSummary(
        number=trial.number,
        state=trial.state.name,
        params=dict(trial.params),
        score=score_of(trial),
        epochs=len(records),
        seconds=sum(record.metrics.get("epoch_seconds", 0.0) for record in records),
        reason=trial.user_attrs.get("reason", ""),
        checkpoint=checkpoint,
        run_id=run_id,
        spent=spent(records, trial),
    )


@dataclass(frozen=True)
class Confirmed:
    """A recipe trained again with new seeds.

    Args:
        label: ``trial 12`` or ``baseline``.
        number: Of the search's trial that it comes from.
        params: The recipe.
        val: Best validation score of each training.
        test: Test accuracy of each, where the test split was opened for it.
    """

    label: str
    number: int
    params: Params
    val: Sequence[float]
    test: Sequence[float] = ()


@dataclass(frozen=True)
class Answer:
    """What the confirmation says.

    Args:
        winner: The finalist with the best mean validation score.
        baseline: The recipe to beat, trained the same way.
        finalists: All finalists, best first.
        optimism: By how much the search's own best score exceeds the winner's mean on new seeds.
        openings: When the test split was opened, one ISO time each; once is as it should be.
    """

    winner: Confirmed
    baseline: Confirmed | None
    finalists: Sequence[Confirmed]
    optimism: float
    openings: Sequence[str] = ()


@dataclass(frozen=True)
class StudyResult:
    """A study as it stands.

    Args:
        name: The study's name.
        trials: All trials of the search, by number.
        answer: The confirmation's answer, where there is one.
        epochs: Full budget of a trial.
        parameters: Names of the parameters that the study's space has, in its order.
        account: Where the time went, as far as it was told.
    """

    name: str
    trials: Sequence[TrialSummary]
    answer: Answer | None = None
    epochs: int = 0
    parameters: Sequence[str] = field(default_factory=tuple)
    account: Account | None = None

    @property
    def best(self) -> TrialSummary:
        """The winner: the confirmed one where there is a confirmation, else the best COMPLETE trial.

        Raises:
            LookupError: No trial is COMPLETE.
        """
        if self.answer is not None:
            return self.trials[self.answer.winner.number]
        ranked = self.ranking()
        if not ranked or ranked[0].state != "COMPLETE":
            raise LookupError(f"a winner must be a COMPLETE trial, but study {self.name!r} has none")
        return ranked[0]

    def ranking(self) -> list[TrialSummary]:
        """As a leaderboard has them: COMPLETE ones by score, PRUNED ones by epochs and score, the rest."""
        order = {"COMPLETE": 0, "PRUNED": 1, "RUNNING": 2, "FAIL": 3, "WAITING": 4}
        return sorted(
            self.trials,
            key=lambda trial: (
                order[trial.state],
                0 if trial.state == "COMPLETE" else -trial.epochs,
                -(trial.score if trial.score is not None else -1e9),
                trial.number,
            ),
        )

    def dataframe(self) -> pandas.DataFrame:
        """One row a trial: number, state, score, epochs, seconds, reason, then a column a parameter.

        A parameter of a branch that a trial did not take is missing (NaN) in its row. The last columns,
        ``seconds/arithmetic`` and so on, say what its time went into (see `search.account.KINDS`).
        """
        import pandas

        rows = [
            {
                "number": trial.number,
                "state": trial.state,
                "score": trial.score,
                "epochs": trial.epochs,
                "seconds": trial.seconds,
                "reason": trial.reason,
                **trial.params,
                **{f"{SECONDS}{kind}": seconds for kind, seconds in trial.spent.items()},
            }
            for trial in self.trials
        ]
        kinds = [kind for kind in KINDS if any(kind in trial.spent for trial in self.trials)]
        columns = ["number", "state", "score", "epochs", "seconds", "reason", *self.parameters]
        columns += [f"{SECONDS}{kind}" for kind in kinds]
        return pandas.DataFrame(rows, columns=columns)


def finished(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The COMPLETE ones, best first."""
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    return sorted(complete, key=lambda trial: (-float(trial.value or 0.0), trial.number))

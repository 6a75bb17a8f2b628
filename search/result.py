"""What a study found, as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from optuna.trial import FrozenTrial

from search.account import KINDS, Account, account_of, sessions_of, spent
from search.answer.answer import Answer
from search.answer.changes import Changes
from search.answer.confirmation import confirms
from search.checkpoints import CONFIRM, PERTURB, SEARCH, Checkpoints
from search.diagnoses import diagnoses_of, names
from search.hypotheses.judge import Outcome
from search.hypotheses.log import outcome_of
from search.ledger import Ledger, begun, records_of
from search.score import score_of
from search.spec import StudySpec
from spaces import Params
from trainables.diagnosis.diagnosis import Diagnosis
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
        diagnosis: What is wrong with it, the worst first; empty where nothing is.
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
    diagnosis: Sequence[Diagnosis] = field(default_factory=tuple)


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
        diagnosis=tuple(diagnoses_of(trial)),
    )


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
        changes: What changing one parameter of the winner at a time does, where that was tried.
        outcome: What came of the study's hypothesis, where it has one and is over.
    """

    name: str
    trials: Sequence[TrialSummary]
    answer: Answer | None = None
    epochs: int = 0
    parameters: Sequence[str] = field(default_factory=tuple)
    account: Account | None = None
    changes: Changes | None = None
    outcome: Outcome | None = None

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
        """One row a trial: number, state, score, epochs, seconds, reason, diagnosis, then a column a parameter.

        A diagnosis is the names of what is wrong, the worst first; empty where nothing is.

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
                "diagnosis": names(trial.diagnosis),
                **trial.params,
                **{f"{SECONDS}{kind}": seconds for kind, seconds in trial.spent.items()},
            }
            for trial in self.trials
        ]
        kinds = [kind for kind in KINDS if any(kind in trial.spent for trial in self.trials)]
        columns = ["number", "state", "score", "epochs", "seconds", "reason", "diagnosis", *self.parameters]
        columns += [f"{SECONDS}{kind}" for kind in kinds]
        return pandas.DataFrame(rows, columns=columns)


def result_of(
    spec: StudySpec,
    ledgers: Mapping[str, Ledger],
    answer: Answer | None,
    changes: Changes | None,
    checkpoints: Checkpoints,
    run_id: Callable[[int], str | None] = lambda number: None,
) -> StudyResult:
    """A study as its ledgers have it.

    Args:
        spec: The study.
        ledgers: Phase → its ledger.
        answer: What the confirmation says, if it does.
        changes: What is known of changes to the winner, where there were any.
        checkpoints: Where weights are.
        run_id: Trial's number → its run in MLflow, where that is known.
    """
    ledger = ledgers[SEARCH]
    trials = begun(ledger.trials())
    trainings = ledgers[CONFIRM].trials()
    others = [*trainings, *ledgers[PERTURB].trials()]
    won: list[FrozenTrial] = []
    if answer is not None:
        won = [
            *(trial for trial in trials if trial.number == answer.winner.number),
            *(training for training in trainings if confirms(training, answer.winner)),
        ]
    finalists = answer.finalists if answer is not None else []
    confirmed = {one.number: [t for t in trainings if confirms(t, one)] for one in finalists}
    return StudyResult(
        name=spec.name,
        trials=[
            summarise(
                trial, checkpoints.weights(trial, confirmed.get(trial.number, [])), run_id(trial.number)
            )
            for trial in trials
        ],
        answer=answer,
        changes=changes,
        outcome=outcome_of(ledger.study) if spec.hypothesis else None,
        epochs=spec.budget,
        parameters=tuple(ledger.space.leaves()),
        account=account_of(trials, others, sessions_of(ledger), spec.budget, won),
    )

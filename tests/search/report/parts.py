"""What the tests of this folder share: reports made up without a store."""

from __future__ import annotations

import random
from functools import lru_cache

import torch

from search.account import Account
from search.answer.answer import Answer, Confirmed
from search.answer.changes import Change, Changes
from search.decisions.history import History, Run, Status
from search.insight.insight import Insight, insight_of
from search.inspection.inspection import Alike, Inspection, Miss
from search.inspection.pictures import small
from search.report.report import Report
from search.result import StudyResult, TrialSummary
from search.spec import StudySpec
from search.verdicts.verdict import Verdict
from tests.search.insight.planted import EPOCHS, SPACE, planted
from trainables.soundness.figures import Flatness
from trainables.soundness.judging import judge
from trainables.soundness.robustness import robustness
from trainables.soundness.soundness import Soundness, pooled

STATES = {Status.COMPLETE: "COMPLETE", Status.FAILED: "FAIL", Status.RUNNING: "RUNNING"}
ACCOUNT = Account(1000.0, {"arithmetic": 750.0, "validation": 200.0, "idle": 50.0}, 400.0, 90.0)
VERDICTS = (
    Verdict(
        "best value at the edge", "The best lr may lie beyond its range.", "Scores rise.", ("--set lr=[1,2]",)
    ),
    Verdict("sampled too thinly", "There are few trials.", "Four for each parameter."),
)


def summary(history: History, run: Run, reason: str = "") -> TrialSummary:
    score = history.score(run.number) if run.scores else None
    state = STATES.get(run.status, "PRUNED")
    return TrialSummary(run.number, state, run.params, score, run.epochs, 2.0 * run.epochs, reason)


@lru_cache
def searched(trials: int = 60) -> tuple[History, Insight]:
    history = planted(0, trials=trials)
    insight = insight_of(history)
    failed = history[5]
    failed.status, failed.diverged = Status.FAILED, True
    failed.scores.clear()
    return history, insight


@lru_cache
def sound(classes: int = 5, networks: int = 3) -> Soundness:
    """Networks that mistake the second class for the first, and are too sure of themselves."""
    found = []
    for seed in range(networks + 1):
        generator = torch.Generator().manual_seed(seed)
        labels = torch.arange(300) % classes
        logits = torch.randn(300, classes, generator=generator)
        logits[torch.arange(300), labels] += 2.0
        logits[labels == 1, 0] += 1.5
        found.append((3 * logits, labels))
    names = tuple(f"class {label}" for label in range(classes))
    return pooled([judge(*one, *found[-1], names) for one in found[:-1]])


@lru_cache
def inspected(trial: int, classes: int = 5) -> Inspection:
    """Of a network that tells images by their brightness."""
    labels = torch.arange(40) % 2
    images = (80 + 100 * labels).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 16, 16)

    def logits_of(batch: torch.Tensor) -> torch.Tensor:
        return torch.stack([0.5 - batch.mean((1, 2, 3)), batch.mean((1, 2, 3)) - 0.5], 1)

    dot = small(images[0].permute(1, 2, 0).numpy())
    alike = [Alike(f"train/{row}.png", 0, 0.9 - row / 10, dot) for row in range(3)]
    return Inspection(
        study="uid",
        trial=trial,
        epoch=3,
        judged_by="the validation split",
        soundness=sound(classes, 1),
        misses=[Miss(f"val/{row}.png", 1, 0, 0.99 - row / 100, dot, alike) for row in range(4)],
        known=40,
        robustness=robustness(logits_of, images, labels, 0),
        flatness=Flatness(0.1, (0.01, 0.03), 0.02, 0.2),
    )


def answer_of(winner: TrialSummary, finalists: list[TrialSummary], tested: bool = True) -> Answer:
    rng = random.Random(0)

    def confirmed(label: str, number: int, params, worth: float, measured: bool) -> Confirmed:
        race, val, test = ([worth + rng.gauss(0, 0.003) for _ in range(3)] for _ in range(3))
        opened = measured and tested
        return Confirmed(
            label,
            number,
            params,
            race,
            val if measured else (),
            test if opened else (),
            soundness=sound() if opened else None,
        )

    ours = confirmed(f"trial {winner.number}", winner.number, winner.params, 0.86, True)
    others = [confirmed(f"trial {one.number}", one.number, one.params, 0.85, False) for one in finalists]
    theirs = confirmed("baseline", 0, SPACE.baseline(), 0.82, True)
    return Answer(
        ours, theirs, [ours, *others], 0.012, ("2026-01-02T10:00:00 by me on here",) if tested else ()
    )


def changes_of(winner: TrialSummary) -> Changes:
    rng = random.Random(1)
    changed = [
        Change(name, winner.params[name], params[name], params, {1: 0.8}, 0, rng.gauss(-0.02, 0.03), 0.02)
        for name, params in SPACE.neighbours(winner.params)
    ]
    return Changes(
        winner.params, {1: 0.86}, [*changed, Change("dropout", 0.1, 0.5, {}, {}, 3)], seeds=3, left=2
    )


def a_report(
    trials: int = 60, *, confirmed: bool = True, changed: bool = True, looked_at: bool = True
) -> Report:
    """A study that is over; `planted` says what its truth is."""
    history, insight = searched(trials)
    summaries = [summary(history, run, "diverged: loss was nan" if run.diverged else "") for run in history]
    complete = sorted(
        (one for one in summaries if one.state == "COMPLETE"), key=lambda one: -(one.score or 0)
    )
    return Report(
        result=StudyResult(
            "planted",
            summaries,
            answer_of(complete[0], complete[1:3]) if confirmed else None,
            EPOCHS,
            tuple(SPACE.leaves()),
            ACCOUNT,
            changes_of(complete[0]) if changed else None,
        ),
        spec=StudySpec.model_validate({"name": "planted", "epochs": EPOCHS, "trials": trials}),
        space=SPACE,
        insight=insight,
        verdicts=VERDICTS,
        curves={run.number: list(run.scores.items()) for run in history},
        made="2026-01-02 10:00",
        inspection=inspected(complete[0].number) if looked_at else None,
    )


def begun(*trials: TrialSummary) -> Report:
    """A study that has hardly begun."""
    spec = StudySpec.model_validate({"name": "begun", "epochs": EPOCHS})
    return Report(StudyResult("begun", trials, None, EPOCHS, tuple(SPACE.leaves())), spec, SPACE)

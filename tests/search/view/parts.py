"""What the tests of this folder share."""

import io
import math
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from search.answer.answer import Answer
from search.answer.race import Race
from search.ledger import Ledger, make_study
from search.result import StudyResult, summarise
from search.spec import StudySpec
from search.store.layout import Store
from search.view.answer import render_answer
from search.view.progress import COMPARE, CONFIRM, SEARCH, Progress
from search.view.view import View
from spaces import Choice, Float, Int, SearchSpace, Switch
from trainables.protocol import EpochRecord

BUDGET = 27
RACE = Race(["trial 0", "baseline"], 2, over=False)


SPACE = SearchSpace(
    {
        "strategy": Switch(
            {
                "full": SearchSpace({"lr": Float(1e-5, 1e-2, log=True)}),
                "layer_decay": SearchSpace({"lr": Float(1e-5, 1e-2, log=True), "ratio": Float(0.1, 1.0)}),
                "gradual_unfreezing": SearchSpace(
                    {"lr": Float(1e-5, 1e-2, log=True), "unfrozen_by": Float(0.05, 0.35)}
                ),
            }
        ),
        "batch_size": Int(8, 64, log=True),
        "weight_decay": Float(1e-6, 1e-1, log=True),
        "dropout": Float(0.0, 0.5),
        "augmentation_strength": Float(0.0, 1.0),
        "optimizer": Choice(("adamw", "sgd")),
    }
)


class Feed:
    """A study in memory whose ledger is written and whose view is told, as the driver does both."""

    def __init__(self, *views: View, seed: int = 0) -> None:
        self.views = views
        self.ledgers = {
            phase: Ledger(
                make_study(
                    optuna.storages.InMemoryStorage(), phase, optuna.samplers.RandomSampler(seed=seed)
                ),
                SPACE,
            )
            for phase in (SEARCH, CONFIRM, COMPARE)
        }

    def enqueue(self, label: str, seed: int, phase: str = CONFIRM) -> None:
        self.ledgers[phase].enqueue(SPACE.baseline(), candidate=label, seed=seed)

    def start(self, phase: str = SEARCH) -> int:
        number = self.ledgers[phase].ask(lambda number: number).number
        for view in self.views:
            view.on_start(phase, self.ledgers[phase].trial(number), 0)
        return number

    def records(self, number: int, *scores: float, phase: str = SEARCH, first: int = 1) -> None:
        for epoch, score in enumerate(scores, start=first):
            record = EpochRecord(epoch, score, {"val/loss": 0.3, "epoch_seconds": 2.5})
            self.ledgers[phase].record(number, record)
            for view in self.views:
                view.on_record(phase, number, record)

    def pause(self, number: int) -> None:
        for view in self.views:
            view.on_pause(SEARCH, number)

    def end(self, number: int, state: TrialState, reason: str = "", phase: str = SEARCH) -> FrozenTrial:
        trial = self.ledgers[phase].finish(number, state, reason)
        for view in self.views:
            view.on_end(phase, trial)
        return trial

    def trial(self, state: TrialState, *scores: float, reason: str = "", phase: str = SEARCH) -> int:
        number = self.start(phase)
        self.records(number, *scores, phase=phase)
        self.end(number, state, reason, phase)
        return number

    def known(self) -> list[FrozenTrial]:
        return self.ledgers[SEARCH].trials()


class Clocked:
    """A `Progress` as a view, at a time that the test sets."""

    def __init__(self) -> None:
        self.progress, self.now = Progress(), 0.0

    def __getattr__(self, name: str):
        method = getattr(self.progress, name)
        return lambda *arguments: method(*arguments, self.now)


def curve(top: float, epochs: int = BUDGET) -> list[float]:
    return [top * (1 - math.exp(-epoch / 5)) for epoch in range(1, epochs + 1)]


def make_spec(**changes: object) -> StudySpec:
    return StudySpec.model_validate({"name": "digits", "epochs": BUDGET, "trials": 10, **changes})


SELF_ENDED = "ended by its own rule at epoch 1: no improvement by 0.001 in 5 epochs"


def shown(
    result: StudyResult, width: int = 100, spec: StudySpec | None = None, store: Store | None = None
) -> str:
    console = Console(file=io.StringIO(), width=width, record=True, highlight=False)
    render_answer(result, spec or make_spec(), store or Store(Path("mlruns")), console)
    return console.export_text()


def a_result(answer: Answer | None = None, trials: int = 12) -> StudyResult:
    feed = Feed()
    for number in range(trials):
        if number % 3 == 0:
            feed.trial(TrialState.COMPLETE, *curve(0.90 + number / 100))
        elif number % 5 == 4:
            feed.trial(TrialState.FAIL, 0.2, reason="diverged: loss was nan at epoch 2, step 3")
        else:
            feed.trial(TrialState.PRUNED, 0.3, 0.4, 0.5)
    trials_of = [summarise(trial) for trial in feed.known()]
    return StudyResult("digits", trials_of, answer, BUDGET, tuple(SPACE.leaves()))


def flat(text: str) -> str:
    return " ".join(text.split())

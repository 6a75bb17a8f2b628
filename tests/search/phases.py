"""A phase on a real storage, and what drives it in any order of events."""

from __future__ import annotations

import math

import optuna

from search.decisions.budget import Budget
from search.decisions.history import History
from search.decisions.listener import Listener
from search.decisions.phase import Phase
from search.decisions.policy import Policy
from search.decisions.scheduler import Decision
from search.execution.asha import Asha
from search.ledger import Ledger, make_study
from search.searchers.uniform import Uniform
from spaces import Float, SearchSpace
from trainables.protocol import EpochRecord

SPACE = SearchSpace({"x": Float(0, 1, default=0.5)})
EPOCHS = 9
ENDED = "no improvement by 0.01 in 2 epochs"


class Told(Listener):
    """A listener that keeps what it is told, in order."""

    def __init__(self):
        self.told = []

    def on_start(self, phase, trial, resumed_at):
        self.told.append(("start", phase, trial.number, resumed_at))

    def on_record(self, phase, number, record, time_ms):
        self.told.append(("record", phase, number, record.epoch))

    def on_pause(self, phase, number):
        self.told.append(("pause", phase, number))

    def on_fault(self, phase, number, reason):
        self.told.append(("fault", phase, number, reason))

    def on_end(self, phase, trial):
        self.told.append(("end", phase, trial.number, trial.state.name))

    def on_closing(self, phase, reason):
        self.closed = reason


def storage():
    return optuna.storages.InMemoryStorage()


def ledger_on(store, name="study") -> Ledger:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return Ledger(make_study(store, name, optuna.samplers.RandomSampler(seed=0)), SPACE)


def policy(scheduler, **limits) -> Policy:
    return Policy(History(SPACE, EPOCHS), Uniform(0), scheduler, Budget(**limits))


def phase_on(store, target=12, scheduler=None, listener=None, name="study") -> Phase:
    return Phase(
        "search",
        ledger_on(store, name),
        policy(scheduler or Asha(EPOCHS, 1, 3), trials=target),
        max_epochs=EPOCHS,
        seed_of=lambda number: 1000 + number,
        listener=listener or Told(),
        now=lambda: math.inf,  # no test waits
    )


def curve(x: float, epoch: int) -> float:
    return x * (1 - 0.5**epoch)


def own_end_of(x: float, epoch: int) -> str:
    """Some recipes end themselves, one of them at a rung."""
    return ENDED if epoch == {0: 2, 1: 3}.get(int(1000 * x) % 5) else ""


def drive(phase: Phase, rng, workers: int, steps: int | None = None) -> bool:
    """Let `workers` workers run the phase in a random order; stop dead after `steps` records. True if it ended."""
    live: dict[int, list] = {}
    done = 0
    while steps is None or done < steps:
        while len(live) < workers and (assignment := phase.next()) is not None:
            live[assignment.number] = [assignment, assignment.known]
        if not live:
            assert phase.is_done
            return True
        number = rng.choice(sorted(live))
        assignment, epoch = live[number]
        epoch += 1
        live[number][1] = epoch
        fate = rng.random()
        if fate < 0.02:
            phase.on_failure(number, f"a bug in {chr(97 + number)}", diverged=fate < 0.01)
            del live[number]
        elif fate < 0.06:
            phase.on_failure(number, "its process died", again=True)
            del live[number]
        else:
            x = assignment.params["x"]
            record = EpochRecord(epoch, curve(x, epoch), {}, own_end_of(x, epoch))
            if phase.on_record(number, record) is not Decision.CONTINUE:
                del live[number]
        done += 1
    return False

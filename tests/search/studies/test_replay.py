"""What Ray's run of a study decided, decided again without Ray."""

from __future__ import annotations

import pytest
from optuna.trial import TrialState

from search.decisions.budget import Budget
from search.decisions.phase import STATUS
from search.decisions.scheduler import Decision
from search.policies import policy_of
from search.view.silent import Silent


class Listening(Silent):
    """Keeps what happens to the trials of the search, in its order."""

    def __init__(self):
        self.events = []

    def on_start(self, phase, trial, resumed_at):
        self.events.append(("start", trial.number, dict(trial.params), resumed_at))

    def on_record(self, phase, number, record):
        self.events.append(("record", number, record))

    def on_closing(self, phase, reason):
        pass

    def on_pause(self, phase, number):
        self.events.append(("pause", number))

    def on_fault(self, phase, number, reason):
        pass

    def on_end(self, phase, trial):
        self.events.append(("end", trial.number, trial.state))


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "names",
    [
        ("default", "default"),
        pytest.param(("tpe", "promotion"), marks=pytest.mark.slow),
        pytest.param(("random", "asha"), marks=pytest.mark.slow),
    ],
    ids="+".join,
)
def test_decisions_on_ray_are_those_of_the_policy_alone(small_study, names):
    searcher, scheduler = names
    study = small_study(
        trials=14, finalists=0, trainable="tests.search.parts:Faulty", searcher=searcher, scheduler=scheduler,
        grace=1, seed=5, workers=2, narrow={"batch_size": {"low": 8, "high": 24, "default": 8}},
    )  # fmt: skip
    listening = Listening()
    study.run(listening)
    events = listening.events

    policy = policy_of(study.spec, study.spec.search_space(), 1, Budget(study.spec.trials))
    told = {}  # trial → what shall become of it
    resumed = 0
    for kind, number, *what in events:
        if kind == "start":
            params, resumed_at = what
            expected = policy.resume(policy.stage(0.0))
            if resumed_at:
                assert expected == number
                resumed += 1
            else:
                assert expected is None
                assert number == len(policy.history)
                if number:  # the first is the baseline
                    assert policy.propose(number) == params
            policy.begin(number, params)
        elif kind == "record":
            record = what[0]
            told[number] = policy.on_record(number, record.epoch, record.score)
        elif kind == "pause":
            assert told[number] is Decision.PAUSE
        else:
            state = what[0]
            if state is TrialState.PRUNED:
                assert told[number] is not Decision.CONTINUE
            policy.end(number, STATUS[state], diverged=policy_diverged(study, number))
    pauses = sum(kind == "pause" for kind, *_ in events)
    given_up = sum(
        kind == "end" and what[0] is TrialState.PRUNED and told[number] is Decision.PAUSE
        for kind, number, *what in events
    )
    assert pauses == resumed + given_up
    assert resumed > 0 or scheduler == "asha"
    assert {number for kind, number, *_ in events if kind == "end"} == set(range(14))


def policy_diverged(study, number):
    reason = study.result().trials[number].reason or ""
    return reason.startswith("diverged")

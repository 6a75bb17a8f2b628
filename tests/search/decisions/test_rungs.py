"""A trial is paused or stopped at its scheduler's rungs and nowhere else: its worker trains on without asking."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from search.decisions.folds import FoldScheduler
from search.decisions.history import History
from search.decisions.policy import Policy
from search.decisions.scheduler import Decision
from search.schedulers import SCHEDULERS, make_scheduler
from search.searchers.uniform import Uniform
from spaces import Float, SearchSpace

SPACE = SearchSpace({"x": Float(0, 1)})


@given(
    name=st.sampled_from(SCHEDULERS),
    grace=st.integers(1, 9),
    eta=st.sampled_from([None, 2.0, 2.5, 3.0, 4.0]),
    epochs=st.integers(9, 30),
    folds=st.sampled_from([1, 3]),
    scores=st.lists(st.floats(0, 1, width=16), min_size=12, max_size=12),
)
def test_decisions_fall_at_rungs(name, grace, eta, epochs, folds, scores):
    scheduler = make_scheduler(name, epochs, grace=grace, eta=eta)
    if folds > 1:
        scheduler = FoldScheduler(scheduler, epochs, folds)
    history = History(SPACE, epochs * folds, epochs if folds > 1 else None)
    policy = Policy(history, Uniform(0), scheduler)
    for number, score in enumerate(scores):
        policy.begin(number, {"x": score})
        for epoch in range(1, epochs * folds):
            decision = policy.on_record(number, epoch, score * (1 + epoch % 3) / 4)
            if decision is not Decision.CONTINUE:
                assert epoch in policy.rungs
                break

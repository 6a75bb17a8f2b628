"""Phases that train what is entered in their ledgers, and decide nothing."""

from __future__ import annotations

from collections.abc import Callable

from search.decisions.budget import Budget
from search.decisions.listener import Listener
from search.decisions.phase import Phase
from search.decisions.policy import Policy
from search.decisions.scheduler import NoScheduler
from search.ledger import Ledger
from search.policies import history_for
from search.searchers.uniform import Uniform
from search.spec import StudySpec
from trainables.seeds import derive_seed


def listed(name: str, ledger: Ledger, spec: StudySpec, listener: Listener) -> Phase:
    """A phase that trains what is in its ledger, each training to its end.

    Args:
        name: The phase's.
        ledger: Its ledger.
        spec: How long a training is.
        listener: Is told of every training.
    """
    policy = Policy(
        history_for(spec, ledger.space), Uniform(spec.seed), NoScheduler(), Budget(len(ledger.trials()))
    )
    return Phase(
        name, ledger, policy, max_epochs=spec.budget, seed_of=seeds_of(spec, name), listener=listener
    )


def seeds_of(spec: StudySpec, phase: str) -> Callable[[int], int]:
    """Trial's number → its seed, in a phase of a study."""
    return lambda number: derive_seed(spec.seed, phase, number) % 2**31

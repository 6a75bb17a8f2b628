"""The experimenter's log: what each study was run to find out, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import optuna

from search.hypotheses.judge import Outcome, judge
from search.ledger import Ledger, finished
from search.memory import history_of
from search.register import DATA, SPEC, find_study, study_names
from search.spec import StudySpec
from search.store.layout import Store
from spaces import InputError

OUTCOME = "hypothesis_outcome"
"""The note of a study's ledger."""
BY_HAND = "by hand"


@dataclass(frozen=True)
class Entry:
    """A study in the log.

    Args:
        study: Its name.
        data: Its data.
        hypothesis: What it was run to find out.
        outcome: What came of it; none while it is open.
        best: Its best COMPLETE trial's score, where that was asked for.
    """

    study: str
    data: str
    hypothesis: str
    outcome: Outcome | None
    best: float | None = None


def conclude(ledger: Ledger, spec: StudySpec) -> Outcome | None:
    """Judge the hypothesis of a study that is over, and write the outcome down; what somebody wrote by hand stays.

    Returns:
        None where the study has no hypothesis.
    """
    if not spec.hypothesis:
        return None
    written = outcome_of(ledger.study)
    if written is not None and written.verdict == BY_HAND and written.text == spec.hypothesis:
        return written
    outcome = replace(judge(spec.hypothesis, history_of(ledger.study, ledger.space), spec.seed), at=_now())
    ledger.note(OUTCOME, outcome.noted())
    return outcome


def write_outcome(store: Store, name: str, text: str) -> Entry:
    """Write down what came of a study's hypothesis, in one's own words.

    Raises:
        InputError: There is no such study, it has no hypothesis, or there are no words.
    """
    study = find_study(store, name)
    entry = _entry(study)
    if entry is None:
        raise InputError(f"a study must have a hypothesis to have an outcome, but {name!r} has none")
    if not text.strip():
        raise InputError("an outcome must be a sentence, but got none")
    outcome = Outcome(entry.hypothesis, BY_HAND, text.strip(), _now())
    study.set_user_attr(OUTCOME, outcome.noted())
    return replace(entry, outcome=outcome)


def outcome_of(study: optuna.Study) -> Outcome | None:
    """What is written down of a study's hypothesis."""
    noted = study.user_attrs.get(OUTCOME)
    return None if noted is None else Outcome(**noted)


def entries(store: Store) -> list[Entry]:
    """All studies with a hypothesis, the earliest first."""
    found = (_entry(find_study(store, name)) for name in study_names(store))
    return [entry for entry in found if entry is not None]


def on_same_data(store: Store, name: str) -> list[Entry]:
    """What other studies of the same images, labels and splits found, also those without a hypothesis.

    Raises:
        InputError: There is no such study.
    """
    fingerprint = find_study(store, name).user_attrs.get(DATA)
    others = [find_study(store, other) for other in study_names(store) if other != name]
    same = [
        study
        for study in others
        if fingerprint and study.user_attrs.get(DATA) == fingerprint and SPEC in study.user_attrs
    ]
    return [replace(_any_entry(study), best=_best(study)) for study in same]


def _entry(study: optuna.Study) -> Entry | None:
    """None of a study without a hypothesis."""
    entry = _any_entry(study)
    return entry if entry.hypothesis else None


def _any_entry(study: optuna.Study) -> Entry:
    spec = study.user_attrs.get(SPEC) or {}
    hypothesis = str(spec.get("hypothesis", ""))
    outcome = outcome_of(study)
    if outcome is not None and outcome.text != hypothesis:
        outcome = None  # it was another one
    return Entry(str(study.study_name), str(spec.get("data", "")), hypothesis, outcome)


def _best(study: optuna.Study) -> float | None:
    complete = finished(study.get_trials(deepcopy=False))
    return float(complete[0].value or 0.0) if complete else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

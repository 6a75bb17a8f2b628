"""What is wrong with a trial: as it was written down at its end, or as its records say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial

from search.ledger import DIAGNOSIS, records_of
from search.searchers.keep_away import DIVERGED
from trainables.diagnosis.diagnosis import Diagnosis
from trainables.diagnosis.registry import KINDS, diagnosed, title_of


def diagnoses_of(trial: FrozenTrial) -> list[Diagnosis]:
    """Of a trial of the ledger, the worst first. One that lives, or is of an earlier version, is looked at now."""
    written = trial.user_attrs.get(DIAGNOSIS)
    if written is not None:
        return [Diagnosis.from_dict(one) for one in written]
    return diagnosed(records_of(trial), DIVERGED in trial.user_attrs)


def names(diagnoses: Sequence[Diagnosis]) -> str:
    """``exploding_group, spikes``; empty where there are none."""
    return ", ".join(one.name for one in diagnoses)


def short(diagnoses: Sequence[Diagnosis]) -> str:
    """The worst in a few words, and how many more there are: ``overfits +1``; empty where there are none."""
    if not diagnoses:
        return ""
    more = f" +{len(diagnoses) - 1}" if len(diagnoses) > 1 else ""
    return f"{title_of(diagnoses[0].name)}{more}"


def described(written: Sequence[Mapping[str, Any]]) -> str:
    """What a trial's user attribute says, as Markdown: a paragraph a diagnosis."""
    found = [Diagnosis.from_dict(one) for one in written]
    return "\n\n".join(
        f"**{title_of(one.name)}** (epoch {one.epoch}): {one.says} {one.remedy}" for one in found
    )


def counted_as(diagnoses: Sequence[Diagnosis]) -> frozenset[str]:
    """Under which names a study counts a trial."""
    return frozenset(KINDS[one.name].adds_up_as for one in diagnoses if one.name in KINDS)

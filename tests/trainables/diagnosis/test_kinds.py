"""Kinds of diagnoses on made-up epochs: what each needs, what keeps it quiet, and that no figures break one."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trainables.diagnosis.diagnosis import Diagnosis
from trainables.diagnosis.registry import KINDS, by_severity, diagnose, title_of, unexplained
from trainables.protocol import EpochRecord

EPOCHS = 12
PAGE = (Path(__file__).parents[3] / "docs" / "diagnosis.md").read_text(encoding="utf-8")


def training(epochs=EPOCHS, **changes) -> list[EpochRecord]:
    """A healthy one; `changes` are functions of the epoch, by name, ``_`` for ``/``."""
    figures = {
        "train_loss": lambda epoch: 2.3 * 0.7**epoch,
        "val_loss": lambda epoch: 0.2 + 2.1 * 0.7**epoch,
        "train_accuracy": lambda epoch: 1 - 0.9 * 0.7**epoch,
        "val_accuracy": lambda epoch: 0.95 - 0.85 * 0.7**epoch,
        "val_chance": lambda epoch: 0.1,
        "train_update": lambda epoch: 1e-3,
        "train_update.head": lambda epoch: 5e-3,
        "train_update.layer": lambda epoch: 1e-4,
        "train_scale": lambda epoch: 65536.0 / 2**epoch if epoch < 4 else 8192.0,
        "lr": lambda epoch: 1e-3 * (1 + math.cos(math.pi * (epoch - 1) / epochs)) / 2,
        "lr_head": lambda epoch: 1e-3,
        **changes,
    }
    names = {
        "train_update": "train/update_ratio", "train_update.head": "train/update_ratio/head",
        "train_update.layer": "train/update_ratio/layer", "train_scale": "train/loss_scale",
    }  # fmt: skip
    return [
        EpochRecord(
            epoch,
            0.5,
            {
                names.get(name, name.replace("_", "/", 1)): figure(epoch)
                for name, figure in figures.items()
                if figure is not None and figure(epoch) is not None
            },
        )
        for epoch in range(1, epochs + 1)
    ]


def flat(value):
    return lambda epoch: value


PLANTED = {
    "not_learning": {"train_loss": flat(2.3), "train_accuracy": flat(0.1), "val_accuracy": flat(0.1)},
    "nothing_carries_over": {"val_accuracy": flat(0.12)},
    "loss_scale_collapse": {"train_scale": lambda epoch: 2.0 ** (6 - epoch)},
    "exploding_group": {"train_update": lambda epoch: 0.4 if epoch == 1 else 1e-3},
    "dead_group": {"train_update.layer": flat(1e-8)},
    "spikes": {"train_loss": lambda epoch: 2.5 if epoch == 8 else 2.3 * 0.7**epoch},
    "overfitting": {
        "val_loss": lambda epoch: 0.5 + 0.1 * abs(epoch - 4), "val_accuracy": flat(0.8),
    },
    "plateau": {
        "train_loss": lambda epoch: max(1.0, 2.3 * 0.7**epoch), "val_loss": flat(1.1), "lr": flat(1e-3),
        "train_accuracy": lambda epoch: min(0.5, 0.1 * epoch), "val_accuracy": flat(0.45),
    },
}  # fmt: skip


def names(records) -> list[str]:
    return [one.name for one in diagnose(records)]


def test_a_healthy_training_has_no_diagnosis_however_long_it_is():
    for epochs in range(40):
        assert names(training(epochs)) == [], epochs


@pytest.mark.parametrize("name", PLANTED)
def test_each_kind_is_named_where_it_is_planted_and_no_other(name):
    (found,) = diagnose(training(**PLANTED[name]))
    assert found.name == name
    assert found.says.endswith(".")
    assert found.remedy.endswith(".")
    assert "nan" not in found.says
    assert 1 <= found.epoch <= EPOCHS


def test_every_kind_is_planted_or_told_in_its_step():
    assert {name for name, kind in KINDS.items() if kind.look is not None} == set(PLANTED)


@pytest.mark.parametrize("name", PLANTED)
def test_before_its_fewest_epochs_a_kind_is_never_given(name):
    for epochs in range(KINDS[name].fewest):
        assert name not in names(training(epochs, **PLANTED[name]))


@pytest.mark.parametrize(
    ("quiet", "planted", "changes"),
    [
        ("learnt before it began", "not_learning", {"train_accuracy": flat(0.99)}),
        ("another kind's remedy is the opposite", "not_learning", {"train_update": flat(0.3)}),
        ("chance is not known", "nothing_carries_over", {"val_chance": None}),
        ("not fitted either", "nothing_carries_over", {"train_accuracy": lambda epoch: 0.1 + 0.03 * epoch}),
        ("frozen in all but two epochs", "dead_group",
         {"train_update.layer": lambda epoch: 1e-8 if epoch > 10 else None}),
        ("accuracy still rises", "overfitting", {"val_accuracy": lambda epoch: 0.6 + 0.02 * epoch}),
        ("both losses rise", "overfitting", {"train_loss": lambda epoch: 1.0 + 0.1 * epoch}),
        ("the rate has come down", "plateau", {"lr": lambda epoch: 1e-3 / epoch}),
        ("it has arrived", "plateau", {"train_accuracy": flat(0.97), "val_accuracy": flat(0.95)}),
        ("an unfreezing makes a small rise", "spikes",
         {"train_loss": lambda epoch: 1.0 if epoch == 8 else 2.3 * 0.7**epoch}),
    ],
)  # fmt: skip
def test_what_keeps_a_kind_quiet(quiet, planted, changes):
    assert planted not in names(training(**{**PLANTED[planted], **changes})), quiet


def test_a_step_that_moves_nothing_is_not_learning_though_the_loss_wavers():
    records = training(train_update=flat(0.0), **{"train_update.head": flat(0.0), "train_update.layer": None})
    assert names(records) == ["not_learning"]


def test_a_fold_is_looked_at_by_itself():
    """The second fold begins where the first began: that is no spike."""
    folds = [
        EpochRecord(EPOCHS * fold + one.epoch, one.score, {**one.metrics, "fold": fold + 1.0})
        for fold in range(3)
        for one in training()
    ]
    assert names(folds) == []
    assert names([EpochRecord(one.epoch, one.score, {**one.metrics, "fold": 1.0}) for one in folds]) != []


def test_the_worst_is_told_first():
    everything = {**PLANTED["dead_group"], **PLANTED["overfitting"], **PLANTED["loss_scale_collapse"]}
    found = diagnose(training(**everything))
    assert [one.name for one in found] == ["loss_scale_collapse", "dead_group", "overfitting"]
    assert by_severity(found[::-1]) == found
    later = Diagnosis("of_a_later_version", "?", "?", 1)
    assert by_severity([later, *found])[-1] == later
    assert title_of("of_a_later_version") == "of a later version"
    assert by_severity([found[0], unexplained(3)])[0].name == "diverged"


NUMBERS = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, 1.0, 1e-3, 1e308, -1e308])
METRICS = st.sampled_from(
    [
        "train/loss", "val/loss", "train/accuracy", "val/accuracy", "val/chance", "lr", "lr/a", "fold",
        "train/update_ratio", "train/update_ratio/a", "train/update_ratio/b", "train/loss_scale", "train/skipped_steps",
        "train/grad_norm_max", "mine",
    ]
)  # fmt: skip


@given(st.lists(st.dictionaries(METRICS, NUMBERS), max_size=15))
@example(
    [
        {"train/loss": loss, "val/loss": 0.0, "train/accuracy": hits}
        for loss, hits in [(1.0, 0.0), (0.0, 9e307), (2.0, 9e307)]
    ]
)
def test_whatever_a_training_measures_what_is_said_of_it_is_plain_data(metrics):
    records = [EpochRecord(epoch, 0.0, one) for epoch, one in enumerate(metrics, start=1)]
    for found in diagnose(records):
        again = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert Diagnosis.from_dict(again) == found
        assert KINDS[found.name].fewest <= len(records)
        assert "nan" not in found.says


@given(st.lists(st.floats(0.01, 5.0), min_size=1, max_size=20))
def test_a_training_that_measures_its_loss_alone_is_judged_by_that(losses):
    records = [EpochRecord(epoch, 0.0, {"train/loss": one}) for epoch, one in enumerate(losses, start=1)]
    assert set(names(records)) <= {"not_learning", "spikes"}


def section(name: str) -> str:
    found = re.search(rf"^### `{name}`: (.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found, f"docs/diagnosis.md has no section of {name}"
    return " ".join(found[1].split())


@pytest.mark.parametrize("name", KINDS)
def test_the_page_has_each_kind_with_its_thresholds_source_and_remedy(name):
    kind, text = KINDS[name], section(name)
    assert text.startswith(kind.title)
    assert kind.remedy in text
    assert kind.source in text
    for constant, value in kind.thresholds.items():
        assert f"`{constant} = {value:g}`" in text


def test_the_page_has_no_kind_that_there_is_not():
    assert re.findall(r"^### `(\w+)`", PAGE, re.MULTILINE) == list(KINDS)


@pytest.mark.parametrize(
    "metrics",
    [
        {"train/skipped_steps": float("nan"), "train/loss_scale": 0.0},
        {"lr": float("inf"), "train/update_ratio": 1.0},
        {"train/update_ratio": float("nan"), "train/update_ratio/a": float("inf")},
    ],
)
def test_what_is_no_finite_number_is_taken_as_not_measured(metrics):
    told = diagnose([EpochRecord(epoch, 0.5, metrics) for epoch in range(1, 6)])
    for found in told:
        assert not {"nan", "inf"} & {word.strip(",.:%") for word in found.says.split()}
        json.dumps(found.to_dict(), allow_nan=False)

"""Parts by name: those of the table, a user's own, and what is said of one that is none."""

import pytest
import torch

from spaces import InputError, InvalidParams
from trainables.builder import check_parts, from_params
from trainables.config import Fixed, TrialConfig
from trainables.parts import PARTS, Part, PartConfig, choose_part, part_class

FULL = {"strategy": "full", "strategy.full.lr": 1e-3}


class Absolute(Part):
    """A loss of a user's own: the distance of probabilities to targets."""

    def make(self, class_counts, label_smoothing):
        return lambda logits, targets: (logits.softmax(1) - targets).abs().sum(1)


NO_PART = object


@pytest.mark.parametrize("kind", PARTS)
def test_each_name_of_the_table_is_a_part_whose_options_have_defaults(kind):
    for name in PARTS[kind]:
        fields = part_class(PartConfig(kind, name)).model_fields
        required = {key for key, field in fields.items() if field.is_required()}
        assert required <= {"epochs"}, f"{kind}.{name} cannot be named alone"


def test_every_part_is_made_from_its_name_alone():
    for kind, names in PARTS.items():
        for name in names:
            options = {f"strategy.{name}.lr": 1e-3} if kind == "strategy" else {}
            params = {**({} if options else FULL), kind: name, **options}
            check_parts(TrialConfig.from_params(params, Fixed()))


def test_a_part_of_ones_own_trains(fixed, material):
    own = f"{__name__}:Absolute"
    trainable = from_params({**FULL, "loss": own}, fixed, 0, material)
    records = list(trainable.epochs())
    assert 0 < records[-1].metrics["train/loss"] < records[0].metrics["train/loss"] <= 2
    held = fixed.model_copy(update={"loss": own})
    again = list(from_params(FULL, held, 0, material).epochs())
    assert [r.score for r in again] == [r.score for r in records]


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("loss", "cross_entropi", "did you mean 'cross_entropy'?"),
        ("loss", 3, "but got 3"),
        ("loss", f"{__name__}:NO_PART", "must be a trainables.parts.Part"),
        ("loss", f"{__name__}:Missing", "must be importable"),
    ],
)
def test_what_is_no_part_is_told(kind, name, words):
    with pytest.raises(InputError) as caught:
        PartConfig(kind, name).make()
    assert words in str(caught.value)


def test_options_are_those_of_the_part_that_is_chosen():
    chosen = choose_part("optimizer", "sgd", {"optimizer.sgd.momentum": 0.5, "mixing.mixup.alpha": 1.0})
    assert chosen == PartConfig("optimizer", "sgd", {"momentum": 0.5})
    with pytest.raises(InvalidParams, match=r"optimizer is 'sgd', so 'optimizer\.adamw\.beta1' must not be"):
        choose_part("optimizer", "sgd", {"optimizer.adamw.beta1": 0.5})


@pytest.mark.parametrize("value", [True, "much", float("nan"), -0.1, 1.0])
def test_an_option_outside_its_law_names_itself_and_its_part(value):
    with pytest.raises(InvalidParams, match=r"^optimizer\.sgd: `momentum"):
        PartConfig("optimizer", "sgd", {"momentum": value}).make()


def test_what_a_study_holds_constant_serves_the_recipes_that_use_it(fixed, material):
    held = fixed.model_copy(update={"options": {"optimizer.sgd.momentum": 0.5}})
    sgd = from_params({**FULL, "optimizer": "sgd"}, held, 0, material)
    assert {group["momentum"] for group in sgd.optimizer.param_groups} == {0.5}
    searched = {**FULL, "optimizer": "sgd", "optimizer.sgd.momentum": 0.7}
    assert from_params(searched, held, 0, material).optimizer.param_groups[0]["momentum"] == 0.7
    assert isinstance(from_params(FULL, held, 0, material).optimizer, torch.optim.AdamW)

"""What cannot be trained is found out before the first trial, with the sentence that a user needs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search.feasibility import check_space
from search.preparation import prepare_study
from search.reading import load_spec
from spaces import Float, InputError, SearchSpace, Switch
from spaces.load import preset_path
from tests.conftest import small_dataset
from trainables.config import Fixed
from trainables.material import Material
from trainables.material import prepare as prepare_material
from trainables.models.network import make_network

SMALL = {
    "data": "tests.search.parts:quadrants",
    "model": "test_resnet",
    "pretrained": False,
    "precision": "fp32",
    "narrow": {"batch_size": {"low": 8, "high": 24, "default": 16}},
}


def prepare(**overrides):
    spec = load_spec("digits", {**SMALL, **overrides})
    return prepare_study(spec, spec.search_space(), lambda done, total: None)


def extended(tmp_path, parameter: str) -> str:
    """The preset with one more parameter."""
    file = tmp_path / "mine.yaml"
    file.write_text(preset_path("finetune").read_text() + f"  {parameter}\n")
    return str(file)


def network_of(material: Material):
    return make_network(material.backbone, None, classes=4, channels=1)


def sentence_of(**overrides) -> str:
    with pytest.raises(InputError) as caught:
        prepare(**overrides)
    return str(caught.value)


@pytest.mark.parametrize("space", ["finetune", "probe", "scratch", "recipe"])
def test_each_preset_is_feasible(space):
    narrow = SMALL["narrow"] | (
        {"transfer": "none"} if space == "recipe" else {}
    )  # no pretrained weights here
    assert prepare(space=space, narrow=narrow).grace >= 2


def test_a_network_that_knows_no_layers_is_trained_by_strategies_that_need_none():
    settings = {"model": "tests.search.threaded:Network", "batch_size": 8}
    assert prepare(**settings, narrow={"strategy": ["full"]}).grace >= 2
    said = sentence_of(**settings, narrow={"strategy": ["full", "layer_decay"]})
    assert said == (
        "strategy='layer_decay': layer-wise strategies need a model that knows its layers (timm's `group_matcher`), "
        "but Network has none"
    )


def test_a_penalty_without_pretrained_weights():
    said = sentence_of(space="recipe")
    assert (
        "transfer='l2_sp' needs pretrained weights, but model 'test_resnet' starts from random ones" in said
    )


def test_a_model_without_batchnorm():
    settings = {"model": "test_vit", "model_args": {"img_size": 32}, "image_size": 32, "space": "recipe"}
    narrow = SMALL["narrow"] | {"transfer": "none"}
    assert sentence_of(**settings, narrow=narrow) == (
        "model 'test_vit' has no BatchNorm, so it cannot take 'batchnorm=momentum': set batchnorm=as_built"
    )
    assert prepare(**settings, narrow=narrow | {"batchnorm": "as_built"}).grace >= 2


def test_branches_that_do_not_go_together():
    """Two switches, of which each alone is sound: found by trying them in pairs."""
    lr = SearchSpace({"lr": Float(1e-4, 1e-2, log=True)})
    nothing = SearchSpace({})
    space = SearchSpace(
        {
            "strategy": Switch({"full": lr, "scratch": lr}),
            "transfer": Switch({"none": nothing, "l2_sp": nothing}),
        }
    )
    fixed = Fixed(model="test_resnet", pretrained=False, batch_size=16, precision="fp32", device="cpu")
    material = prepare_material(small_dataset(), fixed)
    weights = {k: v.numpy() for k, v in network_of(material).state_dict().items()}
    with pytest.raises(InputError, match="transfer='l2_sp' needs pretrained weights, but strategy 'scratch'"):
        check_space(space, fixed, replace(material, weights=weights))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"optimizer.sgd.momentum": 1.5}, "optimizer.sgd: `momentum < 1` must hold, but got momentum=1.5"),
        ({"optimizer.sgd.moment": 0.5}, "optimizer 'sgd' has no option 'moment'; did you mean 'momentum'?"),
    ],
)
def test_an_option_held_constant_is_looked_at_too(options, said):
    assert sentence_of(options=options) == said


def test_grace_covers_the_longest_warm_up_and_the_first_unfreezing(tmp_path):
    space = extended(tmp_path, "warmup_epochs: {float: [0, 6], default: 1}")
    assert prepare(space=space, epochs=20).grace == 7
    late = {"strategy": "gradual_unfreezing", "strategy.gradual_unfreezing.unfrozen_by": 0.9}
    narrow = SMALL["narrow"] | late
    assert prepare(narrow=narrow, epochs=40).grace > prepare(narrow=narrow, epochs=4).grace
    assert prepare(grace=3).grace == 3


def test_a_batch_larger_than_the_data():
    said = "`batch_size <= training images` must hold, but the space goes up to 500 with 48 training images; narrow"
    assert sentence_of(narrow={"batch_size": [8, 500]}) == f"{said} it: --set batch_size=[8,48]"
    assert sentence_of(narrow={"batch_size": [100, 500]}) == f"{said} it: --set batch_size=48"
    prepare(narrow={"batch_size": [8, 48]})


def test_a_batch_that_is_a_setting_or_a_choice_is_measured_too(tmp_path):
    strategy = "strategy: {switch: {full: {lr: {float: [1e-4, 1e-2]}}}}\n"
    file = tmp_path / "mine.yaml"
    file.write_text(f"parameters:\n  {strategy}")
    law = "`batch_size <= training images` must hold, but"
    fixed = {"space": str(file), "narrow": {}}
    assert sentence_of(**fixed, batch_size=49) == f"{law} got batch_size=49 with 48 training images"
    prepare(**fixed, batch_size=48)
    file.write_text(f"parameters:\n  batch_size: {{choice: [16, 64]}}\n  {strategy}")
    assert sentence_of(**fixed) == f"{law} the space has 64 with 48 training images"


def test_a_parameter_that_nothing_reads(tmp_path):
    said = sentence_of(space=extended(tmp_path, "foo: {float: [0.1, 0.5]}"))
    assert said.startswith(
        "every searched parameter must reach the training, but 'foo' is read by nothing; known"
    )


def test_an_option_that_its_strategy_does_not_read(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(preset_path("finetune").read_text().replace("        ratio:", "        ration:", 1))
    assert sentence_of(space=str(file)) == (
        "strategy 'layer_decay' has no option 'ration'; did you mean 'ratio'?"
    )


def test_a_knob_that_the_model_cannot_take(tmp_path):
    space = extended(tmp_path, "drop_path: {float: [0, 0.5], default: 0}")
    said = sentence_of(space=space, model="densenet121")
    assert said == "model 'densenet121' cannot take 'drop_path': fix it to 0 or leave it out"
    prepare(space=space, model="test_resnet")


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("dropout: {float: [0, 1.5], default: 0}", "1.5"),
        ("ema_decay: {float: [0.9, 1], default: 0.9}", "1.0"),
    ],
)
def test_a_range_whose_end_breaks_a_law(tmp_path, change, value):
    name = change.partition(":")[0]
    if name == "dropout":
        said = sentence_of(narrow={"batch_size": [8, 24], "dropout": [0, 1.5]})
    else:
        said = sentence_of(space=extended(tmp_path, change))
    assert name in said
    assert said.endswith(value)


def test_a_warm_up_that_outlasts_the_training(tmp_path):
    said = sentence_of(space=extended(tmp_path, "warmup_epochs: {float: [0, 30], default: 1}"))
    assert said == "`warmup_epochs < epochs` must hold, but got warmup_epochs=30, epochs=27"


def test_an_option_that_is_none(tmp_path):
    said = sentence_of(space=extended(tmp_path, "optimizer: {choice: [adamw, leo]}"))
    assert "optimizer" in said
    assert said.partition("; known")[0].endswith("but got 'leo'")


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        ({"data": "digit"}, ["data must be one of digits, glyphs", "'digit'", "did you mean 'digits'?"]),
        (
            {"model": "resnet1800"},
            ["model must be 'glyphs', an architecture of timm or", "'resnet1800'", "resnet18"],
        ),
        ({"pretrained": "/no/such/file"}, ["pretrained must be true, false or a file", "/no/such/file"]),
        ({"model_args": {"foo": 1}}, ["model 'test_resnet' cannot take 'foo'"]),
    ],
)
def test_unknown_data_model_and_weights(overrides, parts):
    said = sentence_of(**overrides)
    assert [part for part in parts if part not in said] == []

"""What differs between two recipes, counted as a person counts."""

from __future__ import annotations

import json

import pytest

from search.comparison.alike import alike, check_images
from search.comparison.difference import Difference, differences
from search.comparison.flat import flat
from search.comparison.side import Side, only, side_of
from search.store.layout import Store
from spaces import InputError
from tests.search.comparison.parts import PARAMS, found, recipe


def test_a_recipe_does_not_differ_from_itself_wherever_its_values_are_written():
    assert found(recipe(), recipe()) == []
    held = recipe(without=["dropout", "batch_size"], dropout=0.0, batch_size=32)
    assert found(recipe(), held) == []
    by_params = recipe({"optimizer": "sgd", "optimizer.sgd.momentum": 0.8})
    by_settings = recipe(optimizer="sgd", options={"optimizer.sgd.momentum": 0.8})
    assert found(by_params, by_settings) == []


def test_an_option_that_is_left_out_has_its_default():
    assert (
        found(recipe(optimizer="sgd"), recipe(optimizer="sgd", options={"optimizer.sgd.momentum": 0.9})) == []
    )
    assert found(
        recipe(optimizer="sgd"), recipe(optimizer="sgd", options={"optimizer.sgd.momentum": 0.5})
    ) == ["optimizer.sgd.momentum: 0.9 in A, 0.5 in B"]


def test_one_parameter_and_one_setting_are_one_thing_each():
    assert found(recipe(), recipe({"strategy.full.lr": 3e-3})) == ["strategy.full.lr: 1e-3 in A, 3e-3 in B"]
    assert found(recipe(), recipe({"strategy.full.lr": 1.04e-3})) == [
        "strategy.full.lr: 1e-3 in A, 0.00104 in B"
    ]
    assert found(recipe(), recipe(epochs=5)) == ["epochs: 3 in A, 5 in B"]
    assert found(recipe(), recipe(invariances={"horizontal_flip": True})) == [
        "invariances.horizontal_flip: none in A, true in B"
    ]
    two = found(recipe(), recipe({"dropout": 0.2, "strategy.full.lr": 3e-3}))
    assert two == ["dropout: 0 in A, 0.2 in B", "strategy.full.lr: 1e-3 in A, 3e-3 in B"]


DECAY = {"strategy": "layer_decay", "strategy.layer_decay.lr": 5e-3, "strategy.layer_decay.ratio": 0.1}


def test_another_branch_brings_its_options_and_they_are_one_thing():
    other = recipe(DECAY, without=["strategy.full.lr"])
    (one,) = differences(flat(recipe()), flat(other))
    assert (one.name, one.first, one.second) == ("strategy", "full", "layer_decay")
    assert set(one.brings) == {"strategy.full.lr", "strategy.layer_decay.lr", "strategy.layer_decay.ratio"}
    assert "learning rate" in one.caveat
    assert "not tuned" in one.caveat
    assert Difference.from_noted(json.loads(json.dumps(one.noted()))) == one
    both = recipe({**DECAY, "dropout": 0.1}, without=["strategy.full.lr"])
    assert [one.name for one in differences(flat(recipe()), flat(both))] == ["dropout", "strategy"]


def test_an_optimizer_may_have_its_own_learning_rate_but_nothing_else():
    sgd = {"optimizer": "sgd", "options": {"optimizer.sgd.momentum": 0.8}}
    (same_rate,) = differences(flat(recipe()), flat(recipe(**sgd)))
    assert "both at one learning rate" in same_rate.caveat
    (own_rate,) = differences(flat(recipe()), flat(recipe({"strategy.full.lr": 0.1}, **sgd)))
    assert set(own_rate.brings) == {"optimizer.sgd.momentum", "strategy.full.lr"}
    assert "each at its own learning rate" in own_rate.caveat
    assert len(differences(flat(recipe()), flat(recipe({"dropout": 0.1}, **sgd)))) == 2


def test_another_network_brings_its_weights():
    other = recipe(model="resnet18", pretrained="r.safetensors", mean=[0.5], std=[0.5])
    (one,) = differences(flat(recipe()), flat(other))
    assert (one.name, set(one.brings)) == ("model", {"pretrained", "mean", "std"})


def test_what_is_left_to_data_and_network_counts_as_what_they_say():
    asked, left = recipe(image_size=32), recipe()
    assert found(left, asked) == []  # nobody knows yet
    assert found(left, asked, natural=[{"image_size": 32}, {}]) == []
    assert found(left, asked, natural=[{"image_size": 48}, {}]) == ["image_size: 48 in A, 32 in B"]


def test_a_trainable_of_ones_own_is_taken_at_its_word():
    own = "tests.search.parts:Logged"
    first, second = recipe(trainable=own), recipe({"momentum.a.b": 1}, trainable=own)
    assert found(first, second) == ["momentum.a.b: none in A, 1 in B"]
    assert found(recipe(), recipe(trainable=own))[0].startswith("trainable: ")


def test_what_one_leaves_to_be_measured_is_as_the_other_has_it():
    first, second = alike([Side("a", recipe(precision="auto")), Side("b", recipe(precision="bf16"))])
    assert first.recipe.settings.precision == second.recipe.settings.precision == "bf16"
    first, second = alike([Side("a", recipe(precision="fp32")), Side("b", recipe(precision="bf16"))])
    assert found(first.recipe, second.recipe) == ["precision: fp32 in A, bf16 in B"]
    both = alike([Side("a", recipe(precision="auto"))] * 2)
    assert {side.recipe.settings.precision for side in both} == {"auto"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": "glyphs"}, "A is of 'digits' and B of 'glyphs'; --data DATA trains both on one"),
        ({"split_seed": 1}, "A has split_seed=0 and B split_seed=1"),
        ({"folds": 3}, "A has folds=1 and B folds=3"),
        ({"val_share": 0.3}, "A has val_share=0.15 and B val_share=0.3"),
    ],
)
def test_other_images_or_another_split_are_no_comparison(change, said):
    with pytest.raises(InputError, match="to be compared") as refused:
        check_images([Side("a", recipe()), Side("b", recipe(**change))])
    assert said in str(refused.value)


def test_a_recipe_is_a_space_of_its_own():
    params = {**PARAMS, "optimizer": "sgd", "optimizer.sgd.nesterov": True, "strategy.full.lr": 1e-3}
    space = only(params)
    assert space.baseline() == params
    assert all(leaf.is_fixed for leaf in space.leaves().values())
    with pytest.raises(InputError, match=r"strategy\.layer_decay\.lr"):
        only({**PARAMS, "strategy.layer_decay.lr": 1e-3})


def test_options_of_a_part_that_is_held_are_held_too(tmp_path):
    file = tmp_path / "r.yaml"
    file.write_text(
        "data: digits\nsettings: {optimizer: sgd}\n"
        "params: {strategy: full, strategy.full.lr: 0.001, optimizer.sgd.momentum: 0.5}\n"
    )
    side = side_of(file, Store(tmp_path / "store"))
    assert side.recipe.settings.options == {"optimizer.sgd.momentum": 0.5}
    assert only(side.recipe.params).baseline() == {"strategy": "full", "strategy.full.lr": 0.001}
    assert Side.from_noted(json.loads(json.dumps(side.noted()))) == side
    assert side.spec("x").fixed().options == {"optimizer.sgd.momentum": 0.5}

"""Every knob that can be searched reaches the training: it is turned, and the numbers must change.

What is turned is read from the presets and from `KNOBS` themselves, so that a new parameter is covered
by being there.
"""

import hashlib
import json
from functools import cache
from typing import get_args

import pytest
import torch

from spaces import Choice, Leaf, Params, SearchSpace, Value, load_space, preset_names
from tests.conftest import QUIET_CPU, quadrants, small_dataset
from trainables import builder
from trainables.builder import from_params
from trainables.config import KNOBS, Fixed
from trainables.data import Dataset
from trainables.material import Material, prepare
from trainables.models.network import make_network
from trainables.strategies import STRATEGIES

MODELS = {"test_resnet": {}, "test_vit": {"img_size": 32}, "test_convnext": {}}
IMAGES, EPOCHS = 64, 3  # three, because gradual unfreezing needs epochs in which layers may wake
CLOCKS = {"images_per_second", "epoch_seconds", "train_seconds"}
FULL = {"strategy": "full", "strategy.full.lr": 1e-3}


@cache
def study(model: str) -> tuple[Material, Fixed]:
    """The small data set with just enough images, and weights that a strategy can keep or leave."""
    small = small_dataset()
    dataset = Dataset(
        small.name, small.classes, quadrants(IMAGES, 1, 0), small.val, small.test, small.invariances
    )
    fixed = Fixed(
        model=model, model_args=MODELS[model], pretrained=False, image_size=32, epochs=EPOCHS, **QUIET_CPU
    )
    material = prepare(dataset, fixed)
    torch.manual_seed(0)
    pretrained = make_network(material.backbone, None, classes=7, channels=3)
    weights = {name: tensor.numpy() for name, tensor in pretrained.state_dict().items()}
    return Material(**{**vars(material), "weights": weights}), fixed


def observed(model: str, params: Params) -> str:
    """All numbers that a training shows, clocks apart, and its last weights, as one hash."""
    material, fixed = study(model)
    trainable = from_params(params, fixed, 0, material)
    digest = hashlib.blake2b()
    for record in trainable.epochs():
        shown = {name: value for name, value in record.metrics.items() if name not in CLOCKS}
        digest.update(json.dumps(shown, sort_keys=True).encode())
    for tensor in trainable.model.state_dict().values():
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


_SEEN: dict[str, str] = {}


def remembered(model: str, params: Params) -> str:
    """`observed`, once for each recipe: presets share theirs."""
    key = json.dumps([model, dict(params)], sort_keys=True)
    if key not in _SEEN:
        _SEEN[key] = observed(model, params)
    return _SEEN[key]


def base_of(space: SearchSpace, leaf: str) -> dict[str, Value]:
    """The baseline, but with those branches taken that `leaf` belongs to."""

    def suggest(name: str, domain: Leaf) -> Value:
        within = leaf.removeprefix(f"{name}.")
        return within.partition(".")[0] if within != leaf else domain.baseline()

    return space.draw(suggest)


def turned(space: SearchSpace, leaf: str, params: Params) -> list[dict[str, Value]]:
    """`params` with `leaf` at one other value: its lowest, or its highest if that is where it stands.

    A choice is turned to each of its other options.
    """
    domain = space.leaves()[leaf]
    if isinstance(domain, Choice):
        others = [option for option in domain.options if option != params[leaf]]
    else:
        others = [domain.high if params[leaf] == domain.low else domain.low]
    taken = [{**params, leaf: value} for value in others]
    return [
        space.draw(lambda name, leaf, moved=moved: moved[name] if name in moved else leaf.baseline())
        for moved in taken
    ]


def leaves() -> list[tuple[str, str]]:
    """Preset and qualified name of all that can vary in it, in every branch."""
    return [
        (preset, name)
        for preset in preset_names()
        for name, leaf in load_space(preset).leaves().items()
        if not leaf.is_fixed
    ]


def is_dead(model: str, space: SearchSpace, leaf: str, look=remembered) -> bool:
    """Whether the training with `leaf` turned cannot be told from the one without."""
    base = base_of(space, leaf)
    return any(look(model, base) == look(model, other) for other in turned(space, leaf, base))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("preset", "leaf"), leaves())
def test_each_parameter_of_each_preset_changes_the_training(preset, leaf, model):
    assert not is_dead(model, load_space(preset), leaf)


def other_value(knob: str) -> Value:
    """A value of a knob that is not its default, from its type."""
    field = Fixed.model_fields[knob]
    options = get_args(field.annotation)
    if options and isinstance(options[0], str):
        return next(option for option in options if option != field.default)
    if isinstance(field.default, int):
        return field.default // 2
    return field.default / 100 if field.default else 0.5


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("knob", KNOBS)
def test_each_knob_outside_of_the_presets_changes_the_training(knob, model):
    assert remembered(model, FULL) != remembered(model, {**FULL, knob: other_value(knob)})


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("knob", KNOBS)
def test_a_knob_set_to_what_it_is_changes_nothing(knob, model):
    assert remembered(model, FULL) == observed(model, {**FULL, knob: Fixed.model_fields[knob].default})


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("preset", preset_names())
def test_a_recipe_trained_again_is_the_same(preset, model):
    space = load_space(preset)
    branches = {json.dumps(base_of(space, leaf)) for leaf in space.leaves()}
    for params in map(json.loads, branches):
        assert remembered(model, params) == observed(model, params)


@pytest.mark.parametrize("model", MODELS)
def test_no_two_strategies_train_alike(model):
    """Scratch and full differ by the weights they start from; no preset has both."""
    options = {"ratio": 0.1, "unfrozen_by": 0.5}
    seen = {}
    for name, kind in STRATEGIES.items():
        wanted = {option: options[option] for option in kind.__dataclass_fields__ if option != "epochs"}
        params = {f"strategy.{name}.{option}": value for option, value in {"lr": 1e-3, **wanted}.items()}
        seen[name] = remembered(model, {"strategy": name, **params})
    assert len(set(seen.values())) == len(STRATEGIES)


def without_dropout(real):
    return lambda *args, **kwargs: real(*args, **{**kwargs, "dropout": 0.0})


def without_strength(real):
    return lambda strength, invariances: real(0.3, invariances)


def without_ratio(real):
    return lambda name, options, epochs: real(name, options and {"ratio": 0.1}, epochs)


@pytest.mark.parametrize(
    ("part", "deafened", "leaf"),
    [
        ("make_network", without_dropout, "dropout"),
        ("make_augmentation", without_strength, "augmentation_strength"),
        ("make_strategy", without_ratio, "strategy.layer_decay.ratio"),
    ],
)
def test_a_dead_knob_is_found(part, deafened, leaf, monkeypatch):
    """One wire of the builder is cut: that knob is dead, and another one of the same recipe is not."""
    monkeypatch.setattr(builder, part, deafened(getattr(builder, part)))
    space = load_space("finetune")
    assert is_dead("test_resnet", space, leaf, look=observed)
    assert not is_dead("test_resnet", space, "strategy.layer_decay.lr", look=observed)

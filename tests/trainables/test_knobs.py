"""Every knob that can be searched reaches the training: it is turned, and the numbers must change.

What is turned is read from the presets and from `KNOBS` themselves, so that a new parameter is covered
by being there.
"""

import hashlib
import json
from functools import cache

import numpy as np
import pytest
import torch

from spaces import Choice, InputError, Leaf, Params, SearchSpace, Value, load_space, preset_names
from tests.conftest import QUIET_CPU, is_clock, quadrants, small_dataset
from trainables import builder
from trainables.augmentation.standard import Standard
from trainables.builder import from_params
from trainables.config import KNOBS, Fixed
from trainables.data import Dataset, Images
from trainables.material import Material, prepare
from trainables.models.network import make_network
from trainables.parts import PARTS, PartConfig

MODELS = {"test_resnet": {}, "test_vit": {"img_size": 32}, "test_convnext": {}}
IMAGES, EPOCHS = 64, 3  # three, because gradual unfreezing needs epochs in which layers may wake
PARTS_OF_COUNTS = (28, 18, 12, 6)  # classes of different sizes, which some losses weigh
FULL = {"strategy": "full", "strategy.full.lr": 1e-3}

STILL = {"strategy.full.lr": 2e-6, "augmentation_strength": 0.0}
CIRCUMSTANCES = {
    "stopping.patience.improvement": {"epochs": 20, "params": {**STILL, "stopping.patience.epochs": 3}},
    "stopping": {"epochs": 20, "params": {**STILL, "strategy.full.lr": 1e-6}},
    "schedule.plateau": {"epochs": 20, "params": STILL},
    "curriculum.step": {"epochs": 12},
    "strategy.probe_then_finetune.probe": {"epochs": 12},
}
"""What begins so needs more epochs to show, or scores that hardly move: by the beginning of the name."""


@cache
def study(model: str, epochs: int = EPOCHS) -> tuple[Material, Fixed]:
    """The small data set with just enough images, and weights that a strategy can keep or leave."""
    small = small_dataset()
    many = quadrants(4 * max(PARTS_OF_COUNTS), 1, 0)
    rows = np.concatenate([np.flatnonzero(many.labels == c)[:n] for c, n in enumerate(PARTS_OF_COUNTS)])
    train = Images(many.pixels[rows], many.labels[rows])
    assert len(train) == IMAGES
    val = quadrants(256, 1, 1)  # so many that one image is less than the preset's largest improvement
    dataset = Dataset(small.name, small.classes, train, val, small.test, small.invariances)
    fixed = Fixed(
        model=model, model_args=MODELS[model], pretrained=False, image_size=32, epochs=epochs, **QUIET_CPU
    )
    material = prepare(dataset, fixed)
    torch.manual_seed(0)
    pretrained = make_network(material.backbone, None, classes=7, channels=3)
    weights = {name: tensor.numpy() for name, tensor in pretrained.state_dict().items()}
    return Material(**{**vars(material), "weights": weights}), fixed


def observed(model: str, params: Params, epochs: int = EPOCHS) -> str:
    """All numbers that a training shows, clocks apart, and its last weights, as one hash."""
    material, fixed = study(model, epochs)
    trainable = from_params(params, fixed, 0, material)
    digest = hashlib.blake2b()
    for record in trainable.epochs():
        shown = {name: value for name, value in record.metrics.items() if not is_clock(name)}
        digest.update(json.dumps(shown, sort_keys=True).encode())
    for tensor in trainable.model.state_dict().values():
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


_SEEN: dict[str, str] = {}


def remembered(model: str, params: Params, epochs: int = EPOCHS) -> str:
    """`observed`, once for each recipe: presets share theirs."""
    key = json.dumps([model, dict(params), epochs], sort_keys=True)
    if key not in _SEEN:
        _SEEN[key] = observed(model, params, epochs)
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
    for other in turned(space, leaf, base):
        names = (leaf, f"{leaf}.{other[leaf]}")
        found = [value for key, value in CIRCUMSTANCES.items() if any(n.startswith(key) for n in names)]
        special = found[0] if found else {}
        epochs, common = special.get("epochs", EPOCHS), special.get("params", {})
        if look(model, {**base, **common}, epochs) == look(model, {**other, **common}, epochs):
            return True
    return False


def batchnorm_branch(leaf: str) -> str:
    """The branch of ``batchnorm`` that `leaf` needs, if any."""
    return leaf.split(".")[1] if leaf.startswith("batchnorm.") else ""


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("preset", "leaf"), leaves())
def test_each_parameter_of_each_preset_changes_the_training(preset, leaf, model):
    space = load(preset)
    if model != "test_resnet" and leaf.startswith("batchnorm"):
        material, fixed = study(model)
        branch = batchnorm_branch(leaf) or "re_estimated"
        with pytest.raises(InputError, match=rf"{model}.*batchnorm={branch}"):
            from_params({**FULL, "batchnorm": branch}, fixed, 0, material)
        return
    assert not is_dead(model, space, leaf)


def load(preset: str) -> SearchSpace:
    """The preset, for batches that make more than one step of an epoch."""
    return load_space(preset).narrow({"batch_size": {"low": 8, "high": 64, "default": 32}})


def other_value(knob: str) -> Value:
    """A value of a knob that is not its default, from its type."""
    field = Fixed.model_fields[knob]
    if knob in PARTS:  # a part whose effect does not wait for many epochs
        return next(name for name in [*REPLACEMENT.get(knob, []), *PARTS[knob]] if name != field.default)
    if isinstance(field.default, int):
        return field.default // 2
    return field.default / 100 if field.default else 0.5


REPLACEMENT = {
    "curriculum": ["linear"],
    "mixing": ["mixup"],
    "clipping": ["value"],
    "batchnorm": ["frozen"],
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("knob", KNOBS)
def test_each_knob_outside_of_the_presets_changes_the_training(knob, model):
    other = {**FULL, knob: other_value(knob)}
    if knob == "batchnorm" and model != "test_resnet":
        with pytest.raises(InputError, match=f"{model}.*batchnorm=frozen"):
            observed(model, other)
        return
    special = CIRCUMSTANCES.get(knob, {})
    epochs, common = special.get("epochs", EPOCHS), special.get("params", {})
    assert remembered(model, {**FULL, **common}, epochs) != remembered(model, {**other, **common}, epochs)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("knob", KNOBS)
def test_a_knob_set_to_what_it_is_changes_nothing(knob, model):
    assert remembered(model, FULL) == observed(model, {**FULL, knob: Fixed.model_fields[knob].default})


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("preset", [name for name in preset_names() if name != "recipe"])
def test_a_recipe_trained_again_is_the_same(preset, model):
    """The parts of `recipe` are trained twice by the suite of conformance."""
    space = load(preset)
    branches = {json.dumps(base_of(space, leaf)) for leaf in space.leaves()}
    for params in map(json.loads, branches):
        assert remembered(model, params) == observed(model, params)


@pytest.mark.parametrize("model", MODELS)
def test_no_two_strategies_train_alike(model):
    """Scratch and full differ by the weights they start from; no preset has both."""
    seen = {
        name: remembered(model, {"strategy": name, f"strategy.{name}.lr": 1e-3}) for name in PARTS["strategy"]
    }
    assert len(set(seen.values())) == len(seen)


def test_every_part_and_every_option_is_in_a_preset():
    leaves_of_recipe = load_space("recipe").leaves()
    for kind, names in PARTS.items():
        options = leaves_of_recipe[kind].options
        assert set(names) - {"scratch"} == set(options)  # which has a preset of its own
    assert set(KNOBS) <= set(leaves_of_recipe)


def without_dropout(monkeypatch):
    real = builder.make_network
    monkeypatch.setattr(builder, "make_network", lambda *a, **k: real(*a, **{**k, "dropout": 0.0}))


def without_strength(monkeypatch):
    real = Standard.at
    monkeypatch.setattr(Standard, "at", lambda self, strength, invariances: real(self, 0.3, invariances))


def without_ratio(monkeypatch):
    real = builder.make_strategy

    def deaf(config, epochs):
        options = {name: 0.1 if name == "ratio" else value for name, value in config.options.items()}
        return real(PartConfig(config.kind, config.name, options), epochs)

    monkeypatch.setattr(builder, "make_strategy", deaf)


@pytest.mark.parametrize(
    ("cut", "leaf"),
    [
        (without_dropout, "dropout"),
        (without_strength, "augmentation_strength"),
        (without_ratio, "strategy.layer_decay.ratio"),
    ],
)
def test_a_dead_knob_is_found(cut, leaf, monkeypatch):
    """One wire of the builder is cut: that knob is dead, and another one of the same recipe is not."""
    cut(monkeypatch)
    space = load("finetune")
    assert is_dead("test_resnet", space, leaf, look=observed)
    assert not is_dead("test_resnet", space, "strategy.layer_decay.lr", look=observed)

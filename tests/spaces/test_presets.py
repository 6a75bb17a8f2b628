import re

import pytest

from spaces import Choice, Float, Int, load_space, preset_names, preset_path
from spaces.document import read_document

GENERAL = {
    "batch_size": Int(32, 256, log=True, default=64),
    "weight_decay": Float(1e-5, 1e-2, log=True, default=1e-3),
    "dropout": Float(0, 0.5, default=0),
    "augmentation_strength": Float(0, 1, default=0.3),
}
STRATEGIES = {
    "feature_extraction": {"lr": Float(1e-3, 1e-2, log=True, default=3e-3)},
    "full": {"lr": Float(1e-5, 1e-3, log=True, default=1e-4)},
    "layer_decay": {
        "lr": Float(1e-5, 1e-2, log=True, default=1e-3),
        "ratio": Float(0.01, 1, log=True, default=0.1),
    },
    "gradual_unfreezing": {
        "lr": Float(1e-4, 1e-2, log=True, default=1e-3),
        "unfrozen_by": Float(0.2, 0.8, default=0.5),
        "ratio": Float(0.01, 1, log=True, default=0.1),
    },
    "scratch": {"lr": Float(1e-4, 1e-2, log=True, default=1e-3)},
}
PRESETS = {
    "finetune": ("full", ("feature_extraction", "full", "layer_decay", "gradual_unfreezing")),
    "probe": ("feature_extraction", ("feature_extraction",)),
    "scratch": ("scratch", ("scratch",)),
}


def test_these_are_the_presets():
    assert preset_names() == (*list(PRESETS)[:2], "recipe", *list(PRESETS)[2:])


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_what_the_docs_say(name):
    default, strategies = PRESETS[name]
    leaves = {
        f"strategy.{strategy}.{key}": leaf
        for strategy in strategies
        for key, leaf in STRATEGIES[strategy].items()
    }
    space = load_space(name)
    assert space.leaves() == {**GENERAL, "strategy": Choice(strategies, default), **leaves}
    assert space.name == name
    assert space.description
    assert space.baseline()["strategy"] == default


def entries(parameters, prefix=""):
    for name, entry in parameters.items():
        yield prefix + name, entry
        for branch, inner in entry.get("switch", {}).items():
            yield from entries(inner, f"{prefix}{name}.{branch}.")


@pytest.mark.parametrize("name", preset_names())
def test_every_range_cites_its_source(name):
    written = dict(entries(read_document(preset_path(name)).data["parameters"]))
    assert list(written) == list(load_space(name).leaves())
    for entry in written.values():
        assert re.search(r"\b(19|20)\d\d\b|project's choice|fastai", entry["source"])


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_can_be_copied_and_edited(name, tmp_path):
    text = preset_path(name).read_text(encoding="utf-8")
    (tmp_path / "mine.yml").write_text(text.replace("int: [32, 256]", "int: [8, 64]"), encoding="utf-8")
    mine = load_space(str(tmp_path / "mine.yml"))
    assert mine == load_space(name).narrow({"batch_size": [8, 64]})
    assert mine.digest() != load_space(name).digest()

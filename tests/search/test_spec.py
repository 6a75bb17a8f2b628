"""Studies and recipes, written down: what is right is read back unchanged, what is wrong gets a sentence."""

from __future__ import annotations

import contextlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.reading import load_spec, parse_setting
from search.recipe import load_recipe, recipe_of
from search.spec import StudySpec
from spaces import InputError
from spaces.document import parse_document, write_document

MINE = """\
space: mine_space.yaml
epochs: 9
trials: 5
narrow:
  dropout: [0.1, 0.2]
"""
SPACE = """\
parameters:
  dropout: {float: [0, 0.5], default: 0}
  strategy:
    switch:
      full:
        lr: {float: [1e-4, 1e-2], log: true}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.yaml").write_text(MINE)
    (tmp_path / "mine_space.yaml").write_text(SPACE)
    return tmp_path


def test_a_study_finds_its_space_in_its_own_folder_and_takes_its_name_from_its_file(folder, monkeypatch):
    monkeypatch.chdir("/")
    spec = load_spec(str(folder / "mine.yaml"))
    assert (spec.name, spec.epochs, spec.trials) == ("mine", 9, 5)
    assert spec.search_space().leaves()["dropout"].high == 0.2


def test_a_file_named_on_the_command_line_is_looked_for_where_it_was_typed(folder, monkeypatch):
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "mine_space.yaml").write_text(SPACE.replace("0.5", "0.3"))
    monkeypatch.chdir(folder / "elsewhere")
    spec = load_spec("digits", {"space": "mine_space.yaml"})
    assert spec.search_space().leaves()["dropout"].high == 0.3


def test_an_override_narrows_where_the_space_has_the_name_and_sets_where_it_has_not():
    spec = load_spec("digits", {"dropout": 0.25, "optimizer": "sgd", "strategy.full.lr": [1e-4, 1e-3]})
    assert spec.narrow["dropout"] == 0.25
    assert spec.optimizer == "sgd"
    assert spec.dropout == 0.0
    assert spec.search_space().leaves()["strategy.full.lr"].high == 1e-3


@pytest.mark.parametrize("space", ["probe", "scratch"])
def test_another_preset_drops_the_changes_that_it_has_no_parameters_for(space):
    spec = load_spec("digits", {"space": space})
    assert "strategy.gradual_unfreezing.unfrozen_by" not in spec.narrow
    assert spec.search_space().leaves()["batch_size"].high == 64


def test_other_data_make_another_study():
    assert load_spec("digits", {"data": "glyphs"}).name == "glyphs"
    assert load_spec("digits", {"data": "my.pets:cats"}).name == "my.pets-cats"
    assert load_spec("digits", {"data": "glyphs", "name": "mine"}).name == "mine"


def test_a_spec_survives_the_ledger_and_its_space_needs_no_file(folder):
    spec = load_spec(str(folder / "mine.yaml"))
    space = spec.search_space()
    again = StudySpec.model_validate(json.loads(spec.model_dump_json())).drawing_from(space)
    for file in folder.iterdir():
        file.unlink()
    assert again.search_space() == space
    assert again.model_dump() == spec.model_dump()


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"trials": 0}, "`trials >= 1` must hold, but got trials=0"),
        ({"epochs": -1}, "`epochs >= 1` must hold, but got epochs=-1"),
        ({"epochs": "abc"}, "`epochs` must be a whole number, but got 'abc'"),
        ({"eta": 1}, "`eta > 1` must hold, but got eta=1"),
        ({"eta": float("inf")}, "`eta` must be a finite number, but got inf"),
        ({"time": float("nan")}, "`time` must be a finite number, but got nan"),
        ({"split_seed": 2**32}, f"`split_seed < {2**32}` must hold, but got split_seed={2**32}"),
        ({"grace": 99}, "`1 <= grace <= epochs` must hold, but got grace=99, epochs=27"),
        ({"grace": "atuo"}, "`grace` must be a whole number or 'auto', but got 'atuo'"),
        ({"warmup_epochs": 27}, "`warmup_epochs < epochs` must hold, but got warmup_epochs=27, epochs=27"),
        ({"searcher": "tep"}, "`searcher` must be 'default', 'tpe', 'gp' or 'random', but got 'tep'; "
                              "did you mean 'tpe'?"),
        ({"name": "a/b"}, "a study's name must be at most 91 letters, digits, `.`, `_` and `-`, the first a "
                          "letter or a digit, but got 'a/b'"),
        ({"narrow": 3}, "`narrow` must be a mapping, but got 3"),
        ({"space": 3}, "`space` must be text, but got 3"),
        ({"space": "finetun"}, "a space must be one of finetune, probe, recipe, scratch, a .yaml file or "
                               "'package.module:attribute', but got 'finetun'; did you mean 'finetune'?"),
        ({"pretrained": [1]}, "`pretrained` must be true or false or text, but got [1]"),
        ({"drop": 0.1}, "'drop' is neither a setting of a study nor a parameter of its space; "
                        "did you mean 'dropout'?"),
        ({"dropout": [0.5, 0.1]}, "dropout: `low <= high` must hold, but got low=0.5, high=0.1"),
        ({"strategy": "ful"}, "strategy: an option must be one of feature_extraction, full, layer_decay, "
                               "gradual_unfreezing, but got 'ful'; did you mean 'full'?"),
        ({"trainable": "foo"}, "a name must have the form 'package.module:attribute', but got 'foo'"),
        ({"trainable": "os:sep"}, "`trainable` must name a function, but 'os:sep' is none"),
    ],
)  # fmt: skip
def test_a_wrong_override_gets_a_sentence_without_a_file(overrides, sentence):
    with pytest.raises(InputError) as caught:
        load_spec("digits", overrides)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("trails: 3\n", "bad.yaml, line 1: there is no setting 'trails'; did you mean 'trials'?"),
        ("epochs: 3\ntrials: -3\n", "bad.yaml, line 2: `trials >= 1` must hold, but got trials=-3"),
        ("epochs: 3\ngrace: 5\n",
         "bad.yaml, line 2: `1 <= grace <= epochs` must hold, but got grace=5, epochs=3"),
        ("epochs: 3\nnarrow:\n  dropout: [0.5, 0.1]\n",
         "bad.yaml, line 3: dropout: `low <= high` must hold, but got low=0.5, high=0.1"),
        ("narrow:\n  drop: 1\n",
         "bad.yaml, line 2: there is no parameter 'drop' to narrow; did you mean 'dropout'?"),
        ("epochs: 9\ndropout: 0.3\n",
         "bad.yaml, line 2: 'dropout' is searched by the space 'finetune', so it must not be a setting too; "
         "fix or narrow it with `narrow: {dropout: …}`"),
        ("- 1\n", "bad.yaml: a study must be a mapping of settings, but got [1]"),
        ("space: nowhere.yaml\n",
         "'nowhere.yaml' must be a readable YAML file, but: No such file or directory"),
    ],
)  # fmt: skip
def test_a_wrong_file_gets_a_sentence_with_its_line(tmp_path, text, sentence):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        load_spec(str(tmp_path / "bad.yaml"))
    assert str(caught.value) == sentence


def test_a_recipe_says_all_that_repeats_its_trial(tmp_path):
    spec = load_spec("digits", {"optimizer": "sgd", "cpus_per_trial": 2})
    params = spec.search_space().baseline()
    file = tmp_path / "r.yaml"
    file.write_text(recipe_of(spec, params, seed=7, settled={"device": "cuda", "precision": "bf16"}))
    recipe = load_recipe(file)
    assert (recipe.data, recipe.split_seed, recipe.seed, recipe.threads) == ("digits", 0, 7, 2)
    assert recipe.params == params
    wanted = spec.fixed().model_copy(update={"precision": "bf16"})
    assert recipe.settings == wanted


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "r.yaml: a recipe must be a mapping, but got None"),
        ("data: digits\n", "r.yaml, line 1: `params` must be given"),
        ("data: digits\nparams: {}\nseed: -1\n", "r.yaml, line 3: `seed >= 0` must hold, but got seed=-1"),
        ("data: digits\nparams: {}\nsettings:\n  modle: glyphs\n",
         "r.yaml, line 4: there is no setting 'modle'; did you mean 'model'?"),
        ("data: digits\nparams: {}\nsettings: {epochs: 1}\n",
         "r.yaml, line 3: `warmup_epochs < epochs` must hold, but got warmup_epochs=1, epochs=1"),
    ],
)  # fmt: skip
def test_a_wrong_recipe_gets_a_sentence(tmp_path, text, sentence):
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        load_recipe(tmp_path / "r.yaml")
    assert str(caught.value) == sentence


# -- whatever is typed or written, there is a spec or a sentence ------------------------------------------

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
names = st.sampled_from([*StudySpec.model_fields, "strategy.full.lr", "params", "settings", "foo", ""])
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(names | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
studies = st.dictionaries(names, values, max_size=4)


def sentence_or_nothing(call) -> None:
    said = "taken"
    try:
        call()
    except InputError as error:
        said = str(error)
    assert said.strip()
    assert "\n" not in said


@given(overrides=studies)
def test_any_overrides_are_taken_or_refused_with_a_sentence(overrides):
    sentence_or_nothing(lambda: load_spec("digits", overrides))


@given(data=studies | values)
def test_any_study_or_recipe_in_a_file_is_taken_or_refused_with_a_sentence(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    with contextlib.suppress(UnicodeEncodeError):  # half of a surrogate pair is no text to write
        file.write_text(write_document(data))
        sentence_or_nothing(lambda: load_spec(str(file)))
        sentence_or_nothing(lambda: load_recipe(file))


@given(content=st.binary(max_size=60))
def test_any_bytes_are_taken_or_refused_with_a_sentence(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "bytes.yaml"
    file.write_bytes(content)
    sentence_or_nothing(lambda: load_spec(str(file)))
    sentence_or_nothing(lambda: load_recipe(file))


@given(text=st.text(max_size=30) | st.from_regex(r"[a-z]{1,5}=[\[{]?[0-9a-z.,:-]{0,8}[\]}]?", fullmatch=True))
def test_any_setting_is_taken_or_refused_with_a_sentence(text):
    sentence_or_nothing(lambda: parse_setting(text))


@given(value=values)
def test_a_setting_reads_back_what_yaml_writes(value):
    written = write_document({"value": value})
    assert repr(parse_document(written, "x").data) == repr({"value": value})


def test_an_option_of_a_part_is_held_constant_by_its_full_name():
    key, value = parse_setting("optimizer.sgd.momentum=0.8")
    spec = load_spec("digits", {"optimizer": "sgd", key: value})
    assert spec.options == {"optimizer.sgd.momentum": 0.8}
    searched = load_spec(
        "digits", {"space": "recipe", key: [0.5, 0.9]}
    )  # where the space has it, it is narrowed
    assert searched.options == {}
    assert searched.search_space().leaves()[key].high == 0.9


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"optimizer.sgdd.momentum": 0.8}, "did you mean 'optimizer.sgd'?"),
        ({"optimizr.sgd.momentum": 0.8}, "neither a setting of a study nor a parameter of its space"),
        ({"optimizer": "sdg"}, "did you mean 'sgd'?"),
        (
            {"space": "recipe", "options": {"optimizer.sgd.momentum": 0.8}},
            "is searched by the space 'recipe'",
        ),
        ({"space": "recipe", "optimizer": 3}, "one of"),
    ],
)
def test_an_option_or_part_that_is_none_is_told(overrides, said):
    with pytest.raises(InputError, match=re.escape(said)):
        load_spec("digits", overrides)

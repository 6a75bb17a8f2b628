import sys

import pytest
from arbitrary_spaces import refusal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spaces import (
    Choice,
    Float,
    InputError,
    Int,
    InvalidSpace,
    SearchSpace,
    Switch,
    load_space,
    space_from_dict,
)

GOOD = """\
name: mine
description: for a test
parameters:
  lr: {float: [1e-5, 1e-3], log: true, default: 1e-4, source: "here"}
  keep: {float: [0, 1], step: 0.5}
  layers:
    int: [2, 10]
    step: 2
  mixing: {choice: [none, mixup, true, 3], default: mixup, description: "words"}
  kind:
    default: b
    source: there
    switch:
      a:
      b:
        x: {int: [1, 8], log: true}
"""


def test_a_file_is_a_space(tmp_path):
    (tmp_path / "mine.yaml").write_text(GOOD)
    space = load_space(str(tmp_path / "mine.yaml"))
    assert space == SearchSpace(
        {
            "lr": Float(1e-5, 1e-3, log=True, default=1e-4),
            "keep": Float(0, 1, step=0.5),
            "layers": Int(2, 10, step=2),
            "mixing": Choice(("none", "mixup", True, 3), default="mixup"),
            "kind": Switch({"a": SearchSpace({}), "b": SearchSpace({"x": Int(1, 8, log=True)})}, default="b"),
        }
    )
    assert (space.name, space.description) == ("mine", "for a test")
    assert load_space(tmp_path / "mine.yaml") == space


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "a space must be a mapping with `parameters`, but got nothing"),
        ("- a", 1, "a space must be a mapping with `parameters`, but got a list"),
        ("just words", 1, "but got 'just words'"),
        ("name: mine", 1, "`parameters` must be a mapping with at least one entry, but got nothing"),
        (
            "name: mine\nparameters:\n",
            2,
            "`parameters` must be a mapping with at least one entry, but got nothing",
        ),
        ("name: mine\nparameters: {}", 2, "but got an empty mapping"),
        ("parameters:\n - a", 1, "but got a list"),
        ("name: 3\nparameters: {x: {int: [1, 2]}}", 1, "`name` must be words, but got 3"),
        ("parametres: {}", 1, "a space has no 'parametres'; did you mean 'parameters'?"),
    ],
)
def test_what_is_no_space_is_told_with_its_line(tmp_path, text, line, words):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        load_space(str(tmp_path / "mine.yaml"))
    message = str(error.value)
    assert message.startswith(f"mine.yaml, line {line}: ")
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("parameters", "line", "words"),
    [
        ("  lr: {float: [1, 2], log: true\n", 3, "this must be YAML, but while parsing a flow mapping"),
        (
            "  lr: {float: [1, 2]}\n  lr: {float: [1, 3]}",
            3,
            "a key must be given once, but 'lr' is on line 2",
        ),
        ("  l/r: {float: [1, 2]}", 2, "a name must match [a-z][a-z0-9_]*, but got 'l/r'"),
        ("  a.b: {float: [1, 2]}", 2, "a name must match [a-z][a-z0-9_]*, but got 'a.b'"),
        ("  lr: 0.1", 2, "lr must have exactly one of float, int, choice, switch, but got 0.1"),
        ("  lr:", 2, "lr must have exactly one of float, int, choice, switch, but got nothing"),
        ("  lr: {flaot: [1, 2]}", 2, "but got only flaot"),
        ("  lr: {float: [1, 2], int: [1, 2]}", 2, "but got float and int"),
        (
            "  lr:\n    float: [1, 2]\n    defualt: 1",
            4,
            "lr: a float has no 'defualt'; did you mean 'default'?",
        ),
        ("  a:\n    choice: [1, 2]\n    log: true", 4, "a: a choice has no 'log'"),
        ("  lr: {float: 3}", 2, "lr: `float` must be [low, high], but got 3"),
        ("  lr: {float: [3]}", 2, "lr: `float` must be [low, high], but got [3]"),
        ("  lr:\n    float:", 3, "lr: `float` must be [low, high], but got nothing"),
        ("  lr:\n\n    float: [3, 1]", 4, "lr: `low <= high` must hold, but got low=3.0, high=1.0"),
        ("  lr: {float: [.nan, 1]}", 2, "lr: `low` must be a finite number, but got nan"),
        ("  lr: {float: [1e-3, one]}", 2, "lr: `high` must be a finite number, but got 'one'"),
        ("  n: {int: [1.5, 3]}", 2, "n: `low` must be a whole number, but got 1.5"),
        ("  lr:\n    float: [0, 1]\n    log: true", 4, "lr: `low > 0` must hold where `log` is true"),
        ("  lr:\n    float: [0, 1]\n    log: yes", 4, "lr: `log` must be true or false, but got 'yes'"),
        (
            "  lr:\n    default: 2\n    float: [0, 1]",
            3,
            "lr: `default` must be a number in [0.0, 1.0], but got 2",
        ),
        ("  n:\n    int: [0, 7]\n    step: 2", 4, "n: `step` must divide `high - low`"),
        ("  a: {choice: x}", 2, "a: `choice` must be a list, but got 'x'"),
        ("  a: {choice: []}", 2, "a: `options` must have at least one entry"),
        ("  a: {choice: [1, 1]}", 2, "a: `options` must differ from each other, but got [1, 1]"),
        ("  a: {choice: [null]}", 2, "a: `options` must be words, finite numbers, true or false"),
        ("  a:\n    choice: [x, y]\n    default: z", 4, "a: `default` must be one of x, y, but got 'z'"),
        ("  a:\n    source: 3\n    choice: [x, y]", 3, "a: `source` must be words, but got 3"),
        (
            "  s:\n    switch: {}",
            3,
            "s: `switch` must be a mapping of at least one branch, but got an empty mapping",
        ),
        ("  s: {switch: [a, b]}", 2, "s: `switch` must be a mapping of at least one branch, but got a list"),
        ("  s:\n    switch:\n      a: 3", 4, "s.a must be a mapping of parameters (or empty), but got 3"),
        ("  s:\n    switch:\n      A:", 4, "a name must match [a-z][a-z0-9_]*, but got 'A'"),
        ("  s:\n    default: c\n    switch:\n      a:", 3, "s: `default` must be one of a, but got 'c'"),
        (
            "  s:\n    switch:\n      a:\n        x: {int: [1, 2]}\n        y: {int: [2, 1]}",
            6,
            "s.a.y: `low <= high` must hold, but got low=2, high=1",
        ),
    ],
)
def test_a_mistake_is_answered_with_file_line_law_and_value(tmp_path, parameters, line, words):
    (tmp_path / "mine.yaml").write_text(f"parameters:\n{parameters}")
    with pytest.raises(InputError) as error:
        load_space(str(tmp_path / "mine.yaml"))
    message = str(error.value)
    assert message.startswith(f"mine.yaml, line {line}: ")
    assert words in message
    assert "\n" not in message


def test_data_without_lines_are_told_without():
    with pytest.raises(InvalidSpace, match=r"^x: `low <= high` must hold"):
        space_from_dict({"parameters": {"x": {"int": [2, 1]}}})
    with pytest.raises(InvalidSpace, match=r"^the ledger: a space must be a mapping"):
        space_from_dict(None, source="the ledger")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "finetun",
            "a space must be one of finetune, probe, recipe, scratch, a .yaml file or 'package.module:attribute', "
            "but got 'finetun'; did you mean 'finetune'?",
        ),
        ("", "a space must be one of finetune, probe, recipe, scratch"),
        ("no/such.yaml", "'no/such.yaml' must be a readable YAML file, but: No such file or directory"),
        ("a\0.yml", "must be a readable YAML file"),
        ("no_such_module:space", "'no_such_module:space' must be importable, but: ModuleNotFoundError"),
        ("math:space", "'math:space' must be importable, but: AttributeError"),
        ("math:pi", "'math:pi' must be a SearchSpace, but got a float"),
        ("..x:y", "'..x:y' must be importable"),
        (":", "must have the form 'package.module:attribute'"),
    ],
)
def test_what_is_no_space_is_told(name, words):
    with pytest.raises(InputError) as error:
        load_space(name)
    assert words in str(error.value)


def test_a_space_can_be_made_in_python(tmp_path, monkeypatch):
    (tmp_path / "mine_made_here.py").write_text(
        "from spaces import *\nspace = SearchSpace({'x': Int(1, 2)})\n"
    )
    (tmp_path / "mine_broken_here.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        assert load_space("mine_made_here:space") == SearchSpace({"x": Int(1, 2)})
        with pytest.raises(InputError, match="must be importable, but: ZeroDivisionError: division by zero"):
            load_space("mine_broken_here:space")
    finally:
        sys.modules.pop("mine_made_here", None)


@given(st.text(st.characters(exclude_characters=":")) | st.text().map(lambda text: f"{text}.yaml"))
def test_any_name_is_a_space_or_an_input_error(name):
    with pytest.raises(InputError) as error:
        load_space(name)
    assert "\n" not in str(error.value)


KEYS = [
    "parameters",
    "name",
    "float",
    "int",
    "choice",
    "switch",
    "default",
    "log",
    "step",
    "source",
    "a",
    "b",
    "",
]
NEARLY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["a", "b", "none"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=20,
)


def made_and_checked(make):
    space = make()
    space.check(space.baseline())


@given(NEARLY | st.builds(lambda data: {"parameters": data}, NEARLY))
def test_any_data_are_a_space_or_an_input_error(data):
    refusal(lambda: made_and_checked(lambda: space_from_dict(data)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(), st.integers(0, len(GOOD)), st.integers(0, 9))
def test_any_file_is_a_space_or_an_input_error(tmp_path, content, at, cut):
    file = tmp_path / "mine.yaml"
    whole = GOOD.encode()
    for damaged in (content, whole[:at] + content + whole[at + cut :]):
        file.write_bytes(damaged)
        message = refusal(lambda: made_and_checked(lambda: load_space(str(file))))
        assert message.startswith("mine.yaml") or not message

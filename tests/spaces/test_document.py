import math

import pytest
import yaml
from arbitrary_spaces import refusal
from hypothesis import given
from hypothesis import strategies as st

from spaces import InputError
from spaces.document import parse_value, read_document, write_document

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


# Ten lines that stand for ten million entries.
BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
)


@given(PLAIN)
def test_plain_data_comes_back(data):
    assert read_document(write_document(data)).data == data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("12", 12),
        ("-7", -7),
        ("0x10", 16),
        ("0o10", 8),
        ("010", 10),
        (".inf", math.inf),
        ("true", True),
        ("False", False),
        ("no", "no"),
        ("on", "on"),
        ("none", "none"),
        ("null", None),
        ("", None),
        ("'1'", "1"),
        ("1e-3x", "1e-3x"),
        ("2026-11-21", "2026-11-21"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("[8, 64]", [8, 64]),
        ("{low: 8}", {"low": 8}),
        ("!!str 8", "8"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text, value):
    read = parse_value(text, "--set x")
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "word", ["0E0", "1e5", "0o7", "yes", "true", "null", "", "1:30", "2026-11-21", "=", "é: #"]
)
def test_a_word_that_looks_like_something_else_stays_a_word(word):
    data = {"option": word, "number": 1e-5, "both": [word, True, None]}
    assert read_document(write_document(data)).data == data
    assert yaml.safe_load(write_document({"option": word})) == {"option": word}


def test_every_entry_knows_its_line():
    document = read_document("# head\na: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n")
    lines = {("a",): 2, ("b",): 3, ("b", 0): 4, ("b", 1): 5, ("b", 1, "c"): 5, ("b", 1, "d"): 6}
    assert {place: document.line(place) for place in lines} == lines
    assert document.line(("b", 1, "d", "none", 3)) == 6  # what is not there: where it would belong
    assert document.line(("nowhere",)) == 2
    assert read_document("").line(("a",)) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\na: 2", "line 2: a key must be given once, but 'a' is on line 1 too"),
        ("a: [1", "line 1: this must be YAML, but while parsing a flow sequence"),
        ("a: b: c", "line 1: this must be YAML, but mapping values are not allowed here"),
        (
            "a:\n\t- 1",
            "line 2: this must be YAML, but while scanning for the next token found character '\\t'",
        ),
        ("a: 1\n---\nb: 2", "line 2: this must be YAML, but expected a single document"),
        ("a: *b", "line 1: this must be YAML, but found undefined alias 'b'"),
        ("\n? [a]\n: 1", "line 2: a key must be a word"),
        ("a: !!python/object/apply:os.system [ls]", "line 1: plain data must have no tag"),
        ("a: !!python/name:os.system ''", "line 1: plain data must have no tag"),
        ("a:\n - !mine {b: 1}", "line 2: plain data must have no tag, but got '!mine'"),
        ("a: !!int word", "line 1: 'word' must be a number, but is none"),
        (f"a: {'9' * 5000}", "must be a number, but is none"),
        ("a: &a [*a]", "line 1: an entry must not contain itself"),
        ("a\x00b", "line 1: this must be YAML, but character number 2 cannot be printed"),
        ("x: 1\n" * 60_000, "must have at most 262144 characters"),
        (BOMB, "a document must have at most 10000 entries"),
        ("[" * 5000, "must not be nested deeper than Python can read"),
    ],
)
def test_what_is_no_plain_yaml_is_told_with_its_line(text, words):
    with pytest.raises(InputError) as error:
        read_document(text)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("text")


def test_an_alias_stands_for_what_it_names():
    assert read_document("a: &x [1, 2]\nb: *x").data == {"a": [1, 2], "b": [1, 2]}


def test_a_file_that_cannot_be_read_is_told_by_its_name(tmp_path):
    mine = tmp_path / "mine.yaml"
    with pytest.raises(InputError, match=r"mine.yaml' must be a readable YAML file, but: No such file"):
        read_document(mine)
    with pytest.raises(InputError, match="but: Is a directory"):
        read_document(tmp_path)
    mine.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"^mine.yaml: a YAML file must be text in UTF-8"):
        read_document(mine)
    mine.write_bytes(b"\xef\xbb\xbfa: 1")  # a byte order mark, as some editors write it
    assert read_document(mine).data == {"a": 1}


@given(st.text())
def test_any_text_is_data_or_an_input_error(text):
    assert refusal(lambda: read_document(text)).partition(",")[0] in {"", "text"}

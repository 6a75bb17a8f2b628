"""Whatever is typed or written into a file: an exit code of the contract, one sentence, and nothing half made."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from search import cli
from search.reading import STUDIES
from search.spec import StudySpec
from spaces import load_space, preset_names

EXAMPLES = 120
"""Of each kind, in every run of the tests; `-m slow` has ten times as many."""

WORDS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=12)
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-3, 300), st.floats(), WORDS,
    st.sampled_from(["auto", "none", "default", "digits", "1e-3", "../..", "hf:", "torchvision:", "a:b", "[", "{}"]),
)  # fmt: skip
NAMES = WORDS | st.sampled_from(["low", "high", "default"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
LEAVES = sorted({name for preset in preset_names() for name in load_space(preset).leaves()})
KEYS = st.sampled_from([*StudySpec.model_fields, *LEAVES]) | WORDS
OPTIONS = [
    "--set", "--name", "--trials", "--time", "--budget-epochs", "--gpu-hours", "--data", "--model", "--space",
    "--epochs", "--folds", "--warm-start", "--seed", "--yes", "--cache", "--help", "-x",
]  # fmt: skip
RECIPE = """
data: digits
model: glyphs
params: {strategy: full, strategy.full.lr: 0.001, batch_size: 16}
settings: {epochs: 2}
seed: 3
"""


class Typed:
    """The outcome of one command in a folder of its own, whose store can never be made: a file is in its place."""

    def __init__(self, *words: str, files: dict[str, str | bytes] | None = None) -> None:
        before = os.getcwd()
        with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as cache:
            folder = Path(name)
            for file, content in (files or {}).items():
                (folder / file).write_bytes(content.encode() if isinstance(content, str) else content)
            (folder / "store").write_text("a file")
            there = sorted(path.name for path in folder.rglob("*"))
            os.chdir(folder)
            argv, out, err = sys.argv, io.StringIO(), io.StringIO()
            environment = {
                "FINETUNE_SEARCH_STORE": str(folder / "store"),
                "FINETUNE_SEARCH_CACHE": cache,
                "HF_HUB_OFFLINE": "1",
            }
            kept = {key: os.environ.get(key) for key in environment}
            os.environ.update(environment)
            sys.argv = ["finetune-search", *words]
            try:
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                    cli.main()
            except SystemExit as ended:
                self.code = int(ended.code or 0)
            finally:
                sys.argv = argv
                os.chdir(before)
                for key, value in kept.items():
                    os.environ.pop(key, None)
                    if value is not None:
                        os.environ[key] = value
            self.out, self.err = out.getvalue(), err.getvalue()
            self.made = [path.name for path in folder.rglob("*") if path.name not in there]

    def check(self) -> None:
        """As the contract has it."""
        assert self.code in {0, 1, 2}, (self.code, self.err)
        assert "Traceback" not in self.err
        if self.code and not (self.code == 2 and "Training on this would be meaningless" in self.out):
            assert self.err.startswith("finetune-search: ") or "Usage" in self.err, self.err
            assert self.err.count("\n") <= 1 or "Usage" in self.err, self.err
        assert self.made == []


def fuzz(test):
    """The same test twice: a little of it always, much of it when there is time."""
    quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]

    @pytest.mark.parametrize(
        "examples", [EXAMPLES, pytest.param(10 * EXAMPLES, marks=pytest.mark.slow)], ids=["few", "many"]
    )
    def run(examples):
        settings(max_examples=examples, deadline=None, suppress_health_check=quiet, database=None)(test)()

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@fuzz
@given(st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=4))
def test_settings_that_are_typed(pairs):
    typed = []
    for key, value in pairs:
        text = yaml.safe_dump(value, default_flow_style=True, width=10**6).strip().removesuffix("...").strip()
        typed += ["--set", f"{key}={text}"]
    Typed("run", "digits", *typed).check()


@fuzz
@given(
    st.sampled_from(
        [
            "run",
            "confirm",
            "perturb",
            "compare",
            "check",
            "show",
            "best",
            "train",
            "record",
            "clean",
            "list",
            "log",
        ]
    ),
    st.data(),
)
def test_command_lines(name, data):
    words = []
    for _ in range(data.draw(st.integers(0, 4))):
        words.append(
            data.draw(st.sampled_from(OPTIONS) | WORDS | st.sampled_from(["digits", "images", "3", "-1"]))
        )
    Typed(name, *words).check()


@fuzz
@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=3), st.booleans())
def test_study_files_with_settings_that_are_odd(odd, alone):
    document = {} if alone else yaml.safe_load((STUDIES / "digits.yaml").read_text())
    Typed(
        "run", "odd.yaml", files={"odd.yaml": yaml.safe_dump({**document, **odd}, allow_unicode=True)}
    ).check()


@fuzz
@given(st.data())
def test_study_files_and_recipes_that_are_damaged(data):
    command, text = data.draw(
        st.sampled_from([("run", (STUDIES / "digits.yaml").read_text()), ("train", RECIPE)])
    )
    raw = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(raw) - 1))
        how = data.draw(st.sampled_from(["cut", "put", "flip"]))
        if how == "cut":
            del raw[place : place + data.draw(st.integers(1, 30))]
        elif how == "put":
            raw[place:place] = data.draw(
                st.binary(min_size=1, max_size=8) | st.sampled_from([b": ", b"\n- ", b"{", b"&a *a"])
            )
        else:
            raw[place] ^= 1 << data.draw(st.integers(0, 7))
        raw = raw or bytearray(b" ")
    if command == "train":  # one that is still a recipe would train
        raw += b"\nmodel: no_such_network\n"
    Typed(command, "damaged.yaml", files={"damaged.yaml": bytes(raw)}).check()


def picture() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 30)).save(stream, "PNG")
    return stream.getvalue()


CELLS = (
    st.sampled_from(
        ["a.png", "b.png", "none.png", "store", "train", "val", "test", "cat", "dog", "1", "", "0.5"]
    )
    | WORDS
)


@fuzz
@given(st.lists(st.sampled_from(["path", "label", "split", "group", "image"]) | WORDS, max_size=4), st.data())
def test_tables_of_images(heading, data):
    rows = data.draw(st.lists(st.lists(CELLS, max_size=5), max_size=6))
    text = "\n".join(",".join(row) for row in [heading, *rows])
    Typed("check", "table.csv", files={"table.csv": text, "a.png": picture(), "b.png": picture()}).check()

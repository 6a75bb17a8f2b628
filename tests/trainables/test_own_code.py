"""Code of the user's own is known by all of its files."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import timm

from trainables.models.own_code import _reached, fingerprint_of

FILES = {
    "mine/__init__.py": "",
    "mine/net.py": (
        "import timm\nfrom mine.blocks import block\nfrom mine import heads as h\n\n"
        "def make(**a):\n    return block()\n"
    ),
    "mine/blocks.py": "import numpy\nfrom mine.deep.sizes import SIZE, grow\n\ndef block():\n    return grow(SIZE)\n",
    "mine/heads.py": "WIDTH = 3\n",
    "mine/deep/__init__.py": "SEEN = 1\n",
    "mine/deep/sizes.py": "SIZE = 3\n\ndef grow(size):\n    return size + 1\n",
    "mine/another.py": "NOTHING = 0\n",
}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "mine"]:
        del sys.modules[name]


def make():
    return importlib.import_module("mine.net").make


def test_it_is_all_that_is_imported_of_ones_own_and_nothing_that_is_installed(folder):
    reached = {module.__name__ for module in _reached(sys.modules[make().__module__])}
    assert reached == {"mine", "mine.net", "mine.blocks", "mine.heads", "mine.deep", "mine.deep.sizes"}


@pytest.mark.parametrize("name", FILES)
def test_it_changes_with_each_of_these_files_and_with_no_other(folder, name):
    before = fingerprint_of(make())
    assert fingerprint_of(make()) == before
    (folder / name).write_text(FILES[name] + "# edited\n")
    assert (fingerprint_of(make()) != before) is (name != "mine/another.py")


def test_what_has_no_file_is_never_the_same(folder):
    def made() -> None: ...

    made.__module__ = "nowhere"
    assert fingerprint_of(made) != fingerprint_of(made)
    own = make()
    (folder / "mine/heads.py").unlink()
    assert fingerprint_of(own) != fingerprint_of(own)


def test_a_function_of_an_installed_package_is_known_by_its_version():
    assert fingerprint_of(timm.create_model) == fingerprint_of(timm.create_model)

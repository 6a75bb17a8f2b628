"""The page of a preflight in a real browser: every picture is there, nothing is blocked, nothing sticks out."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.preflight.page import page
from search.store.layout import Store
from search.study import Study
from tests.browser import check_legible

pytestmark = pytest.mark.browser

LOADED = "[...document.images].filter(one => one.complete && one.naturalWidth > 0).length"


@pytest.fixture(scope="module")
def seen(tmp_path_factory, glyph_weights) -> Path:
    """Of a study whose inputs are not normalised, so that one thing is wrong with it."""
    del glyph_weights
    folder = tmp_path_factory.mktemp("preflight")
    settings = {
        "precision": "fp32",
        "device": "cpu",
        "memory_format": "channels_last",
        "mean": [0.0],
        "std": [1.0],
    }
    found = Study.load("digits", store=Store(folder / "mlruns"), **settings).preflight()
    assert found.warnings
    path = folder / "preflight.html"
    path.write_text(page(found))
    return path


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844), (360, 780)])
def test_all_of_it_can_be_seen_and_read(looking, seen, width, height):
    shown = looking.page("about:blank", width, height)
    said: list[str] = []
    shown.on("console", lambda message: said.append(message.text))
    shown.goto(seen.as_uri())
    picture = looking.keep(shown, "preflight")
    assert picture.stat().st_size > 20_000
    check_legible(shown, width, charts=4)
    assert shown.evaluate(LOADED) == 24
    assert said == []  # its policy blocks nothing of it

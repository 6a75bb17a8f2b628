"""The page of a preflight in a real browser: every picture is there, nothing is blocked, nothing sticks out."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.preflight.page import page
from search.store.layout import Store
from search.study import Study

pytestmark = pytest.mark.browser

MEASURE = """() => {
  const touching = [...document.querySelectorAll('svg')].flatMap(chart => {
    const boxes = [...chart.querySelectorAll('text')].filter(one => !one.hasAttribute('transform'))
      .map(one => [one.textContent, one.getBoundingClientRect()]);
    return boxes.flatMap(([one, a], index) => boxes.slice(index + 1).filter(([, b]) => {
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      return wide > 2 && high > 5; }).map(([other]) => [one, other]));
  });
  const small = [...document.querySelectorAll('svg')].map(chart =>
    12 * chart.getBoundingClientRect().width / chart.viewBox.baseVal.width);
  return {
    overflow: document.documentElement.scrollWidth - innerWidth, width: innerWidth, touching: touching,
    smallest: Math.min(...small), charts: small.length,
    pictures: [...document.images].filter(one => one.complete && one.naturalWidth > 0).length };
}"""


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
    found = shown.evaluate(MEASURE)
    assert found["width"] == width
    assert found["overflow"] <= 0
    assert found["pictures"] == 24
    assert found["charts"] == 4
    assert found["touching"] == []
    assert found["smallest"] >= 9  # pixels of a letter's height in a chart
    assert said == []  # its policy blocks nothing of it

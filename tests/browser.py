"""A real browser for tests that look at pages: Debian's chromium, or Chrome, driven by Playwright."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARTIFACTS = Path(__file__).parents[1] / "test-artifacts"
"""Where what was looked at is kept, a picture a page, named after test and page."""
PATIENCE_MS = 60_000
"""For a condition on a page: MLflow's front end is large, and the machine may be busy."""
QUIET = """
localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');
localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');
"""
"""MLflow's assistant covers a third of a page that is opened for the first time; whoever looks closes it once."""


class Looking:
    """A test's own browser.

    Args:
        browser: Started.
        test: The test's name.
    """

    def __init__(self, browser: Browser, test: str) -> None:
        self._browser = browser
        self._test = re.sub(r"[^\w.-]+", "-", test).strip("-")
        for old in ARTIFACTS.glob(f"{self._test}-*"):
            old.unlink()

    def page(self, address: str, width: int = 1400, height: int = 1000, **options: Any) -> Page:
        """A page of a window of its own, `width` by `height` pixels, with `options` of Playwright's contexts."""
        page = self._browser.new_context(viewport={"width": width, "height": height}, **options).new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.add_init_script(QUIET)
        page.goto(address)
        return page

    def keep(self, page: Page, name: str) -> Path:
        """A picture of the page as it is now, among the tests' artifacts."""
        path = self.place(f"{name}.png")
        page.screenshot(path=path)
        return path

    def place(self, name: str) -> Path:
        """Where a file of this test goes, among the tests' artifacts."""
        ARTIFACTS.mkdir(exist_ok=True)
        return ARTIFACTS / f"{self._test}-{name}"

    def close(self) -> None:
        """Ends it; how each page looked at the end is kept too, which tells most where a test failed."""
        pages = [page for context in self._browser.contexts for page in context.pages]
        for index, page in enumerate(pages):
            self.keep(page, f"end-{index}")
        self._browser.close()


@contextmanager
def looking_for(test: str) -> Iterator[Looking]:
    """A browser, ended at the end; the test is skipped where there is none on this machine."""
    from playwright.sync_api import expect, sync_playwright

    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("there is no chromium on this machine to look at pages with")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--disable-background-networking"])
        looking = Looking(browser, test)
        try:
            yield looking
        finally:
            looking.close()


LEGIBLE = """() => {
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
    overflow: document.documentElement.scrollWidth - innerWidth, width: innerWidth,
    touching: touching, smallest: Math.min(...small), charts: small.length };
}"""


def check_legible(page: Page, width: int, charts: int | None = None) -> None:
    """Nothing sticks out of a page, and the words of its charts neither touch nor are too small to be read.

    Args:
        page: As it is now.
        width: Of its window, pixels.
        charts: How many it has; at least one if not given.
    """
    seen = page.evaluate(LEGIBLE)
    assert seen["width"] == width
    assert seen["overflow"] <= 0
    assert seen["touching"] == []
    assert seen["smallest"] >= 9  # pixels of a letter's height
    assert seen["charts"] == charts if charts is not None else seen["charts"] > 0


def coloured(drawing: Locator) -> int:
    """How many pixels of a drawing are neither white, black nor grey."""
    from PIL import Image

    pixels = np.asarray(Image.open(BytesIO(drawing.screenshot())).convert("RGB")).astype(int)
    return int((np.ptp(pixels, axis=-1) > 60).sum())

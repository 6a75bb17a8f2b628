"""The page in a real browser: what the first screen holds, that nothing is blocked, that nothing sticks out."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from search.report.page import page
from tests.search.report.parts import a_report

pytestmark = pytest.mark.browser
CHROMIUM = next(
    filter(
        None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))
    ),
    None,
)
MEASURE = """
<script>
addEventListener('load', () => {
  const bottom = id => document.getElementById(id).getBoundingClientRect().bottom;
  const texts = [...document.querySelectorAll('svg')].flatMap(chart => {
    const boxes = [...chart.querySelectorAll('text')].filter(one => !one.hasAttribute('transform'))
      .map(one => [one.textContent, one.getBoundingClientRect()]);
    return boxes.flatMap(([one, a], index) => boxes.slice(index + 1).filter(([, b]) => {
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      return wide > 2 && high > 5; }).map(([other]) => [one, other]));
  });
  const small = [...document.querySelectorAll('svg')].map(chart =>
    12 * chart.getBoundingClientRect().width / chart.viewBox.baseVal.width);
  document.querySelector('.sortable th:nth-child(3) button').click();
  const scores = [...document.querySelectorAll('.sortable tbody tr')].map(row => row.cells[2].dataset.value ?? null);
  document.querySelectorAll('section details').forEach(one => { one.open = true; });
  const cut = [...document.querySelectorAll('.wide')].filter(one => one.scrollWidth > one.clientWidth + 1).length;
  parent.postMessage(JSON.stringify({
    bottoms: ['winner', 'margin', 'caveats', 'first-verdict'].map(bottom),
    overflow: document.documentElement.scrollWidth - innerWidth,
    width: innerWidth, touching: texts, smallest: Math.min(...small), cut: cut, scores: scores }), '*');
});
</script>
"""
FRAME = """<!doctype html><script>
addEventListener('message', told => {{ document.documentElement.dataset.seen = told.data; }});
</script><iframe src="measured.html" style="width: {width}px; height: {height}px; border: 0"></iframe>
"""
"""As wide as a phone: a window of its own is never narrower than 500 pixels."""


def browse(
    folder: Path, page: Path, width: int, height: int, *options: str
) -> subprocess.CompletedProcess[str]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine to look at the page with")
    words = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars",
        "--enable-logging=stderr", f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{height}",
    ]  # fmt: skip
    return subprocess.run(
        [CHROMIUM, *words, *options, page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844), (360, 780)])
def test_the_first_screen_has_winner_margin_caveats_and_the_first_verdict(tmp_path, width, height):
    text = page(a_report())
    # Our own script measures, which the page's policy would not let run.
    measured = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text) + MEASURE
    (tmp_path / "measured.html").write_text(measured)
    (tmp_path / "frame.html").write_text(FRAME.format(width=width, height=height))
    options = ("--dump-dom", "--virtual-time-budget=5000")
    dom = browse(tmp_path, tmp_path / "frame.html", 1400, 1000, *options).stdout
    told = re.search(r'data-seen="([^"]*)"', dom)
    assert told is not None
    seen = json.loads(html.unescape(told[1]))
    assert seen["width"] == width
    assert seen["bottoms"] == sorted(seen["bottoms"])
    assert seen["bottoms"][-1] <= height
    assert seen["overflow"] <= 0
    assert seen["touching"] == []
    scores = [None if score is None else float(score) for score in seen["scores"]]
    there = [score for score in scores if score is not None]
    assert scores == sorted(there, reverse=True) + [None] * (len(scores) - len(there))
    assert None in scores
    assert seen["cut"] == 0  # no table has columns that must be scrolled to
    assert seen["smallest"] >= 9  # pixels of a letter's height in a chart
    (tmp_path / "report.html").write_text(text)
    browse(tmp_path, tmp_path / "report.html", width, height, f"--screenshot={tmp_path / f'{width}.png'}")
    assert (tmp_path / f"{width}.png").stat().st_size > 20_000


def test_its_own_policy_lets_it_be_styled_and_sorted_and_nothing_else(tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page(a_report()).replace("</main>", "<script>document.title = 'broken'</script></main>"))
    ran = browse(tmp_path, path, 1280, 800, "--dump-dom")
    assert ran.stdout.count('<button type="button">') == 6
    assert "<title>planted: report</title>" in ran.stdout
    assert ran.stderr.count("Executing inline script violates") == 1  # the test's own
    assert "style" not in "".join(line for line in ran.stderr.splitlines() if "violates" in line)


def test_it_can_be_printed(tmp_path):
    path, paper = tmp_path / "report.html", tmp_path / "report.pdf"
    path.write_text(page(a_report()))
    browse(tmp_path, path, 1280, 800, f"--print-to-pdf={paper}", "--no-pdf-header-footer")
    assert paper.read_bytes().startswith(b"%PDF")

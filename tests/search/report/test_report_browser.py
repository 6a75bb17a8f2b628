"""The page in a real browser: what the first screen holds, that nothing is blocked, that nothing sticks out."""

from __future__ import annotations

import re

import pytest

from search.report.page import page
from tests.browser import check_legible
from tests.search.report.parts import a_report

pytestmark = pytest.mark.browser
MEASURE = """() => {
  const bottom = id => document.getElementById(id).getBoundingClientRect().bottom;
  document.querySelector('.sortable th:nth-child(3) button').click();
  const scores = [...document.querySelectorAll('.sortable tbody tr')].map(row => row.cells[2].dataset.value ?? null);
  document.querySelectorAll('section details').forEach(one => { one.open = true; });
  const cut = [...document.querySelectorAll('.wide')].filter(one => one.scrollWidth > one.clientWidth + 1).length;
  return {
    bottoms: ['winner', 'margin', 'caveats', 'first-verdict'].map(bottom),
    overflow: document.documentElement.scrollWidth - innerWidth, cut: cut, scores: scores };
}"""


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844), (360, 780)])
def test_the_first_screen_has_winner_margin_caveats_and_the_first_verdict(looking, tmp_path, width, height):
    path = tmp_path / "report.html"
    path.write_text(page(a_report()))
    shown = looking.page(path.as_uri(), width, height)
    picture = looking.keep(shown, "first-screen")
    assert picture.stat().st_size > 20_000
    check_legible(shown, width)
    seen = shown.evaluate(MEASURE)
    assert seen["bottoms"] == sorted(seen["bottoms"])
    assert seen["bottoms"][-1] <= height
    scores = [None if score is None else float(score) for score in seen["scores"]]
    there = [score for score in scores if score is not None]
    assert scores == sorted(there, reverse=True) + [None] * (len(scores) - len(there))
    assert None in scores
    assert seen["overflow"] <= 0  # with all that was folded, too
    assert seen["cut"] == 0  # no table has columns that must be scrolled to


def test_its_own_policy_lets_it_be_styled_and_sorted_and_nothing_else(looking, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page(a_report()).replace("</main>", "<script>document.title = 'broken'</script></main>"))
    shown = looking.page("about:blank", 1280, 800)
    said: list[str] = []
    shown.on("console", lambda message: said.append(message.text))
    shown.goto(path.as_uri())
    assert shown.content().count('<button type="button">') == 6
    assert shown.title() == "planted: report"
    violations = [text for text in said if "violates" in text]
    assert len(violations) == 1  # the test's own
    assert violations[0].startswith("Executing inline script violates")


PAPER = """() => {
  const style = (name, what) => [...document.querySelectorAll(what)].map(one => getComputedStyle(one)[name]);
  return {
    whole: [...new Set(style('breakInside', 'figure, .verdict, section p, pre, tr'))],
    kept: [...new Set(style('breakAfter', 'h2, h3, figcaption, summary, h3 + p'))],
    buttons: [...new Set(style('display', 'th button'))] };
}"""


def test_it_can_be_printed(looking, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page(a_report()))
    paper = looking.place("report.pdf")
    shown = looking.page(path.as_uri(), 1280, 800)
    shown.pdf(path=paper, format="A4")
    text = paper.read_bytes()
    assert text.startswith(b"%PDF")
    assert 8 <= len(re.findall(rb"/Type /Page\b", text)) <= 12  # sixty trials, none left out, no empty pages

    shown.emulate_media(media="print")
    shown.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert not shown.get_by_role("navigation").is_visible()
    folded = shown.locator("details table")
    assert folded.count() > 0
    assert all(one.is_visible() for one in folded.all())
    assert all(one.is_visible() for one in shown.locator("pre").all())  # commands can be typed from paper
    assert shown.evaluate(PAPER) == {
        "whole": ["avoid"],  # nothing is cut in two …
        "kept": ["avoid"],  # … no heading is parted from what it is of …
        "buttons": ["contents"],  # … and a table's head stands on each of its pages, which buttons would not
    }
    looking.keep(shown, "paper")

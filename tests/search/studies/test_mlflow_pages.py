"""MLflow's pages of a finished study in a real browser: what somebody finds who was told nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from search import Store, Study, StudyResult
from search.view.answer import sentences
from tests.browser import coloured
from tests.search.servers import free_port
from tests.search.serving import ui, wait_until
from tests.search.studies.conftest import SMALL

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
NAME, TRIALS = "seen", 8
COMMON = ["batch_size", "weight_decay", "dropout", "augmentation_strength", "strategy"]


@dataclass(frozen=True)
class Seen:
    """A study that is over, and where MLflow's pages of it are."""

    study: Study
    result: StudyResult
    address: str
    view: str

    @property
    def parent(self) -> str:
        from mlflow import MlflowClient

        run = MlflowClient(self.study.store.mlflow_uri).get_run(self.result.best.run_id)
        return run.data.tags["mlflow.parentRunId"]

    @property
    def curves(self) -> int:
        """Trials of more than one epoch: their curves are lines."""
        return sum(trial.epochs > 1 for trial in self.result.trials)

    @property
    def names(self) -> list[str]:
        return [f"trial-{trial.number:03d}" for trial in self.result.trials]


@pytest.fixture(scope="module")
def seen(tmp_path_factory, shared_ray, log) -> Iterator[Seen]:
    """A study of two strategies, some of whose recipes break, served by the command."""
    folder: Path = tmp_path_factory.mktemp("seen")
    shared_ray.start()
    log.unlink(missing_ok=True)
    log.symlink_to(folder / "epochs.log")
    settings = {**SMALL, "name": NAME, "trials": TRIALS, "finalists": 1, "finalist_seeds": 2, "seed": 3}
    study = Study.load(
        "digits",
        store=Store(folder / "mlruns"),
        **settings,
        trainable="tests.search.parts:Faulty",
        searcher="random",
    )
    result = study.run()
    port, said = free_port(), folder / "said.txt"
    with ui(study.store, port, said) as process:
        wait_until(lambda: len(said.read_text().splitlines()) == 2 or process.poll() is not None, 150)
        first, second = said.read_text().splitlines()
        assert second.startswith(f"{NAME}: http://127.0.0.1:{port}/#/experiments/")
        yield Seen(study, result, first.split()[-1], second.split()[-1])


def curves(place) -> set[str]:
    """Lines that are drawn, each once: MLflow draws a run's twice, by itself and as the middle of a band."""
    drawn = place.locator("path.js-line").evaluate_all("all => all.map(one => one.getAttribute('d') ?? '')")
    return {line for line in drawn if re.search("[LHV]", line)}


def test_the_list_of_runs_has_the_study_and_its_trials_in_it(seen, looking):
    from playwright.sync_api import expect

    page = looking.page(seen.address)
    expect(page.get_by_role("link", name=NAME, exact=True)).to_be_visible()
    expect(
        page.get_by_text("A search for the best way to fine-tune test_resnet")
    ).to_be_visible()  # what it is for
    looking.keep(page, "studies")

    page = looking.page(re.sub(r"runs\?.*", "runs?workflowType=machine_learning", seen.view))
    parent = page.get_by_role("row").filter(has=page.get_by_role("link", name=NAME, exact=True))
    expect(parent).to_be_visible()
    expect(page.get_by_role("link", name=seen.names[0])).to_have_count(0)  # folded
    parent.locator(
        ".ag-cell[col-id*='Run Name'] [role=button], .ag-cell[col-id*='Run Name'] button"
    ).first.click()
    for name in seen.names:
        expect(page.get_by_role("link", name=name)).to_be_visible()
    looking.keep(page, "runs")


def test_the_view_has_every_trial_with_its_state_score_and_what_was_searched(seen, looking):
    from playwright.sync_api import expect

    page = looking.page(seen.view, 2200)
    for trial in seen.result.trials:
        row = page.get_by_role("row").filter(has=page.get_by_text(f"trial-{trial.number:03d}", exact=True))
        expect(row).to_have_count(1)
        index = row.get_attribute("row-index")
        cells = page.locator(f".ag-row[row-index='{index}']")
        expect(cells.get_by_text(trial.state, exact=True)).to_be_visible()
    order = [name for name in page.evaluate(HEADS) if name]
    searched = list(seen.study.spec.search_space().leaves())
    assert order == ["Run Name", "Created", "trial.state", "score", "trial.epochs", *searched, "Duration"]
    scores = [
        float(text)
        for text in page.locator(".ag-cell[col-id='metrics.`score`']").all_inner_texts()
        if text != "-"
    ]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == sum(trial.score is not None for trial in seen.result.trials)
    expect(page.get_by_text(f"{TRIALS} matching runs")).to_be_visible()  # and no training of the confirmation
    looking.keep(page, "view")


HEADS = """() => [...document.querySelectorAll('.ag-header-cell')].map(one =>
  [one.getBoundingClientRect().x, one.innerText.trim()]).sort(([a], [b]) => a - b).map(([, text]) => text)"""


def test_ticked_trials_compare_by_what_was_searched_and_by_their_curves(seen, looking):
    from playwright.sync_api import expect

    page = looking.page(seen.view, 1500, 1100)
    expect(page.get_by_role("link", name=seen.names[-1])).to_be_visible()
    page.get_by_label("Select all runs").click()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text(f"Comparing {TRIALS} Runs from 1 Experiment")).to_be_visible()
    titles = page.locator(".parcoords .axis-title")
    expect(titles.first).to_be_visible()
    assert titles.evaluate_all("all => all.map(one => one.textContent)") == [*sorted(COMMON)[:3], "score"]
    drawing = page.locator(".parcoords").first
    wait_until(lambda: coloured(page.locator(".js-plotly-plot").first) > 1000)
    looking.keep(page, "parallel-coordinates")
    expect(drawing).to_be_visible()
    params = page.locator("table").filter(has_text="dropout").get_by_role("rowheader").all_inner_texts()
    assert [*params] == sorted(seen.study.spec.search_space().leaves())

    # Metrics are in a list of its own, which draws the rows that are in sight.
    metric = page.get_by_role("link", name="val/accuracy", exact=True)
    first = page.get_by_role("link", name="epoch_seconds")
    first.scroll_into_view_if_needed()
    box = first.bounding_box()
    page.mouse.move(box["x"] + 500, box["y"] + 30)
    wait_until(lambda: page.mouse.wheel(0, 150) or metric.count())
    metric.evaluate("one => one.click()")  # the list is still rolling
    wait_until(lambda: len(curves(page)) == seen.curves)
    looking.keep(page, "curves")


def test_the_views_charts_have_an_axis_for_each_parameter_and_curves(seen, looking):
    from playwright.sync_api import expect

    page = looking.page(f"{seen.view}&compareRunsMode=CHART", 1500, 1700)
    for title in ("All recipes", "Curves", "strategy = full"):
        expect(page.get_by_text(title).first).to_be_visible()
    chart = page.locator(".parcoords").first
    expect(chart.locator(".dimension")).to_have_count(len(COMMON) + 1)
    axes = chart.locator(".dimension .label").evaluate_all("all => all.map(one => one.textContent)")
    assert axes == [*COMMON, "score"]
    wait_until(lambda: coloured(chart) > 1000)
    card = page.locator("[data-testid='experiment-view-compare-runs-card']").filter(has_text="val/accuracy")
    wait_until(lambda: len(curves(card)) == seen.curves)
    looking.keep(page, "charts")


def test_the_studys_own_page_says_what_came_of_it_and_leads_to_the_rest(seen, looking):
    from playwright.sync_api import expect

    experiment = seen.view.split("/runs")[0]
    page = looking.page(f"{experiment}/runs/{seen.parent}?workflowType=machine_learning")
    expect(page.get_by_text(sentences(seen.result, seen.study.spec)[0])).to_be_visible()
    looking.keep(page, "overview")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Report", exact=True).click()
    page = opened.value
    report = page.frame_locator("iframe")
    expect(report.get_by_role("heading", level=1)).to_have_text(
        re.compile("winner is trial|ordinary recipe wins")
    )
    expect(report.get_by_role("heading", name="What mattered")).to_be_attached()
    looking.keep(page, "report")
    page.get_by_text("leaderboard.json", exact=True).first.click()
    for column in ("number", "state", "score", "reason"):
        expect(page.get_by_text(column, exact=True)).to_be_visible()
    expect(page.get_by_text("COMPLETE", exact=True).first).to_be_visible()
    looking.keep(page, "leaderboard")

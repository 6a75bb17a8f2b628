"""What MLflow's pages open with, as it is written; how it looks is seen in a browser (`test_mlflow_pages.py`)."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest

from search.store import Store
from search.store.quiet import hushed
from search.tracking import Projection
from search.tracking.views import NOTE, OPEN_VIEW, VIEW_TAG, links, of_experiment
from spaces import Choice, Float, SearchSpace, Switch, load_space, preset_names
from tests.search.tracking.parts import NAME, run_of

SPACE = SearchSpace(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "clip": Choice(("none", 0.1, 1.0)),  # words beside numbers
        "strategy": Switch({"head": SearchSpace({}), "full": SearchSpace({"decay": Float(0, 1)})}),
    }
)


def state_of(tags: dict[str, str]) -> dict[str, Any]:
    """As MLflow's page unpacks it."""
    packed = json.loads(tags[VIEW_TAG])["state"]
    state: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed.removeprefix("deflate;"))))
    return state


def test_axes_are_those_that_recipes_have_together():
    state = state_of(of_experiment(SPACE, "", 0))
    titles = {section["uuid"]: section["name"] for section in state["compareRunSections"]}
    axes = {
        titles[chart["metricSectionId"]]: chart["selectedParams"] + chart["selectedMetrics"]
        for chart in state["compareRunCharts"]
        if chart["type"] == "PARALLEL"
    }
    assert axes == {
        "All recipes": ["lr", "strategy", "score"],
        "strategy = full": ["strategy.full.decay", "score"],
    }
    assert list(titles.values()) == ["All recipes", "Curves", "strategy = full"]
    columns = [f"params.`{name}`" for name in ("lr", "clip", "strategy", "strategy.full.decay")]
    assert state["selectedColumns"][3:] == state["columnOrder"][3:] == columns


@pytest.mark.parametrize("name", preset_names())
def test_every_presets_view_is_one_that_mlflow_takes(name):
    tags = of_experiment(load_space(name), "why", 0)
    assert len(tags[VIEW_TAG]) < 5000  # what the oldest MLflow that is supported takes
    assert tags[NOTE] == "why"


def experiment(store: Store) -> Any:
    with hushed():
        from mlflow import MlflowClient

        return MlflowClient(store.mlflow_uri).get_experiment_by_name(NAME)


def test_the_experiment_gets_its_view_once_and_what_somebody_changed_stays(store: Store) -> None:
    def run(time_ms: int, **tags: str) -> None:
        projection = Projection(store, NAME)
        opened = of_experiment(SPACE, "first", time_ms) | tags
        projection.open_study(params={}, tags={}, artifacts={}, experiment=opened)
        assert projection.close() is None

    run(1)
    assert experiment(store).tags.items() >= of_experiment(SPACE, "first", 1).items()
    run(2, **{NOTE: "second", "more": "new"})
    assert experiment(store).tags.items() >= {**of_experiment(SPACE, "first", 1), "more": "new"}.items()


def test_a_study_of_before_gets_its_view_when_it_goes_on(store: Store) -> None:
    for tags in ({}, of_experiment(SPACE, "", 1)):
        projection = Projection(store, NAME)
        projection.open_study(params={"a": "1"}, tags={}, artifacts={}, experiment=tags)
        assert projection.close() is None
    assert VIEW_TAG in experiment(store).tags


def test_a_descriptions_links_lead_to_the_run_and_to_the_view(store: Store) -> None:
    projection = Projection(store, NAME)
    projection.annotate(tags={NOTE: f"{links()}\n\nwhat [others](https://example.org) say"})
    assert projection.flush()
    run = run_of(store, projection, None)
    note = run.data.tags[NOTE]
    runs = f"](#/experiments/{run.info.experiment_id}/runs"
    assert f"[Report{runs}/{run.info.run_id}/artifacts/report.html?" in note
    assert f"[trials as a table{runs}{OPEN_VIEW})" in note
    assert note.endswith("what [others](https://example.org) say")
    assert "](run:" not in note
    assert "](experiment:" not in note
    assert projection.close() is None

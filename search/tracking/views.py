"""What MLflow's page of a study opens with: a saved view of its trials, and links to it and to what a run has.

MLflow keeps saved views as tags of the experiment; its page offers them under "Views" and by link. Without one it folds
the trials away, shows no figure of theirs, and draws a chart for each of some forty metrics.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from search.tracking.patch import ENDED, SCORE
from spaces import Choice, SearchSpace, Switch

NOTE = "mlflow.note.content"
"""The tag that MLflow shows as a description: Markdown."""
VIEW = "trials"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
CURVES = ("val/accuracy", "val/loss", "train/loss", SCORE)
MODEL_TRAINING = "workflowType=machine_learning"
"""Without it MLflow opens a page as one about language models, and calls runs evaluations."""
OPEN_VIEW = f"?viewStateShareKey={VIEW}&{MODEL_TRAINING}"
OPEN_CHARTS = f"{OPEN_VIEW}&compareRunsMode=CHART"
_RUN, _EXPERIMENT = "](run:", "](experiment:"


def of_experiment(space: SearchSpace, description: str, time_ms: int) -> dict[str, str]:
    """The tags of a study's experiment.

    Args:
        space: What was searched.
        description: For people; an empty one is left out.
        time_ms: When the view was made, by which MLflow sorts views; milliseconds since 1970.
    """
    return _of(_state(space), "Trials", description, time_ms)


def of_comparison(description: str, time_ms: int) -> dict[str, str]:
    """Likewise of a comparison of two recipes, whose trainings are told apart by recipe and seed.

    Args:
        description: For people.
        time_ms: As for `of_experiment`.
    """
    columns = ["tags.`trial.candidate`", "tags.`trial.seed`", "tags.`trial.state`", f"metrics.`{SCORE}`"]
    columns += [f"tags.`{ENDED}`"]
    state = {
        "searchFilter": "tags.study.phase = 'compare' AND tags.trial.number LIKE '%'",
        "orderByKey": "tags.`trial.candidate`",
        "orderByAsc": True,
        "selectedColumns": columns,
        "columnOrder": columns,
        "runsHiddenMode": "SHOWALL",
        "isAccordionReordered": True,
        "compareRunSections": [_section("curves", "Curves", 2)],
        "compareRunCharts": _curves(),
    }
    return _of(state, "Trainings", description, time_ms)


def _of(state: Mapping[str, Any], name: str, description: str, time_ms: int) -> dict[str, str]:
    """A saved view, and the description."""
    text = json.dumps(state, separators=(",", ":"))
    # A space of many branches has many charts, and MLflow takes 20,000 characters, older ones 5,000.
    packed = "deflate;" + base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    view = json.dumps({"name": name, "createdAt": time_ms, "updatedAt": time_ms, "state": packed})
    return {VIEW_TAG: view} | ({NOTE: description} if description else {})


def links() -> str:
    """The first line of a study's description: MLflow folds the rest."""
    return (
        f"[Report](run:artifacts/report.html?{MODEL_TRAINING}) · "
        f"[leaderboard](run:artifacts/leaderboard.json?{MODEL_TRAINING}) · "
        f"[trials as a table](experiment:{OPEN_VIEW}) · "
        f"[parallel coordinates and curves](experiment:{OPEN_CHARTS})"
    )


def comparison_links() -> str:
    """The first line of a comparison's description."""
    return (
        f"[Trainings as a table](experiment:{OPEN_VIEW}) · [curves](experiment:{OPEN_CHARTS}) · "
        f"[scores by seed](run:artifacts/seeds.json?{MODEL_TRAINING}) · "
        f"[all figures](run:artifacts/comparison.json?{MODEL_TRAINING})"
    )


def linked(markdown: str, experiment: str, run: str) -> str:
    """Markdown whose links to ``run:…`` and ``experiment:…`` lead there, wherever MLflow is served.

    Args:
        markdown: A description.
        experiment: MLflow's id of the experiment.
        run: MLflow's id of the run.
    """
    runs = f"](#/experiments/{experiment}/runs"
    return markdown.replace(_RUN, f"{runs}/{run}/").replace(_EXPERIMENT, runs)


def _state(space: SearchSpace) -> dict[str, Any]:
    """What MLflow's page keeps in the address and in the browser, as far as it differs from its defaults."""
    columns = ["tags.`trial.state`", f"metrics.`{SCORE}`", f"tags.`{ENDED}`"]
    columns += [f"params.`{name}`" for name in space.leaves()]
    sections = [_section("curves", "Curves", 2)]
    charts = []
    for index, (title, names) in enumerate(_groups(space)):
        # The curves come after the first: what only some recipes have comes last.
        sections.insert(index if index == 0 else index + 1, _section(f"p{index}", title, 1))
        charts.append(
            _chart(f"p{index}", f"p{index}", "PARALLEL")
            | {"selectedParams": names, "selectedMetrics": [SCORE], "showAllRuns": False}
        )
    charts += _curves()
    return {
        "searchFilter": "tags.study.phase = 'search' AND tags.trial.number LIKE '%'",
        "orderByKey": f"metrics.`{SCORE}`",
        "orderByAsc": False,
        "selectedColumns": columns,
        "columnOrder": columns,
        "runsHiddenMode": "SHOWALL",
        "isAccordionReordered": True,
        "compareRunSections": sections,
        "compareRunCharts": charts,
    }


def _curves() -> list[dict[str, Any]]:
    """Charts of the figures that every training has, an epoch a point."""
    return [
        _chart(f"c{index}", "curves", "LINE")
        | {
            "metricKey": name,
            "selectedMetricKeys": [name],
            "displayName": name,
            "lineSmoothness": 0,
            "xAxisKey": "step",
            "xAxisScaleType": "linear",
            "scaleType": "linear",
            "range": {},
            "yAxisKey": "metric",
            "yAxisExpressions": [],
            "useGlobalXaxisKey": True,
            "useGlobalLineSmoothing": True,
        }
        for index, name in enumerate(CURVES)
    ]


def _groups(
    space: SearchSpace, prefix: str = "", title: str = "All recipes"
) -> Iterator[tuple[str, list[str]]]:
    """Parameters that recipes have together: MLflow draws only the runs that have every axis of a chart."""
    names = [prefix + name for name, domain in space.parameters.items() if _has_axis(domain)]
    if names:
        yield title, names
    for name, domain in space.parameters.items():
        branches: Mapping[str, SearchSpace] = domain.branches if isinstance(domain, Switch) else {}
        for branch, inner in branches.items():
            qualified = f"{prefix}{name}"
            yield from _groups(inner, f"{qualified}.{branch}.", f"{qualified} = {branch}")


def _has_axis(domain: object) -> bool:
    """Whether MLflow draws an axis: of words beside numbers it would draw half of the runs."""
    if not isinstance(domain, Choice):
        return True
    return len({isinstance(option, str | bool) for option in domain.options}) == 1


def _section(uuid: str, name: str, columns: int) -> dict[str, Any]:
    plain = {"display": True, "isReordered": False, "deleted": False, "isGenerated": False}
    return {"uuid": uuid, "name": name, "columns": columns, "cardHeight": 360, **plain}


def _chart(uuid: str, section: str, kind: str) -> dict[str, Any]:
    plain = {"runsCountToCompare": 10, "deleted": False, "isGenerated": False}
    return {"uuid": uuid, "type": kind, "metricSectionId": section, **plain}

"""The three files of a report: whole, alike in their figures, and never over somebody else's."""

from __future__ import annotations

import dataclasses
import json

import pandas
import pytest

from search.report.files import write_report
from search.result import StudyResult, TrialSummary
from spaces import InputError
from tests.search.report.parts import a_report, begun
from tests.search.report.test_report_page import a_nasty_report


def test_figures_and_trials_go_beside_the_page(tmp_path):
    report = a_report()
    page, figures, trials = write_report(report, tmp_path / "below" / "v1.2.html")
    assert [path.name for path in (page, figures, trials)] == ["v1.2.html", "v1.2.json", "v1.2.parquet"]
    assert page.stat().st_size < 5_000_000
    data = json.loads(figures.read_text("utf-8"))
    assert data == json.loads(json.dumps(report.to_dict()))
    frame = pandas.read_parquet(trials)
    pandas.testing.assert_frame_equal(frame, report.result.dataframe(), check_dtype=False)
    assert [one["score"] for one in data["trials"]] == frame["score"].astype(object).where(
        frame["score"].notna(), None
    ).tolist()  # fmt: skip
    before = [path.read_bytes() for path in (page, figures, trials)]
    write_report(report, page)
    assert [path.read_bytes() for path in (page, figures, trials)] == before
    assert sorted(path.name for path in page.parent.iterdir()) == ["v1.2.html", "v1.2.json", "v1.2.parquet"]


@pytest.mark.parametrize("theirs", ["a.html", "a.json", "a.parquet"])
def test_none_is_written_where_one_would_go_over_somebody_elses(tmp_path, theirs):
    (tmp_path / theirs).write_text("mine")
    with pytest.raises(InputError, match=f"a report must go to a new file, .* but .*{theirs} is another"):
        write_report(begun(), tmp_path / "a.html")
    assert [path.name for path in tmp_path.iterdir()] == [theirs]
    assert (tmp_path / theirs).read_text() == "mine"


def test_another_parquet_file_is_somebody_elses(tmp_path):
    pandas.DataFrame({"a": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="a report must go to a new file"):
        write_report(begun(), tmp_path / "a.html")


def test_a_name_that_is_no_pages_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"must go to a file whose name ends in .html, but got"):
        write_report(begun(), tmp_path / "report.json")
    assert not list(tmp_path.iterdir())


def test_a_study_with_nothing_and_one_with_values_of_many_kinds_are_written(tmp_path):
    write_report(begun(), tmp_path / "empty.html")
    assert list(pandas.read_parquet(tmp_path / "empty.parquet").columns)[:3] == ["number", "state", "score"]
    values = [None, "text", 0.5, True, 3]
    trials = [
        TrialSummary(n, "PRUNED", {} if value is None else {"x": value, "flag": True}, 0.5, 1, 1.0)
        for n, value in enumerate(values)
    ]
    report = dataclasses.replace(begun(), result=StudyResult("mixed", trials, None, 5, ("x", "flag")))
    write_report(report, tmp_path / "mixed.html")
    frame = pandas.read_parquet(tmp_path / "mixed.parquet")
    assert frame["x"].isna().tolist() == [True, False, False, False, False]
    assert frame["x"].tolist()[1:] == ["text", "0.5", "True", "3"]
    assert frame["flag"].tolist()[1:] == [True] * 4
    data = json.loads((tmp_path / "mixed.json").read_text())
    assert [one["params"].get("x") for one in data["trials"]] == values


def test_a_figure_that_there_is_not_is_null(tmp_path):
    figures = write_report(a_nasty_report(), tmp_path / "nasty.html")[1]
    assert json.loads(figures.read_text("utf-8"))["insight"]["interactions"][0]["means"][1][1] is None

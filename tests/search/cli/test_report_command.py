"""`report` as a user meets it."""

from __future__ import annotations

import json
import re
from pathlib import Path


def test_a_study_as_a_page(command, refused, finished, tmp_path):
    code, out, err = command("report", "small")
    assert (code, err) == (0, "")
    page, figures, trials = map(Path, out.splitlines())
    assert page == tmp_path / "mlruns" / "reports" / "small.html"
    assert (figures.name, trials.name) == ("small.json", "small.parquet")
    data = json.loads(figures.read_text())
    assert [trial["state"] for trial in data["trials"]] == ["COMPLETE", "COMPLETE"]
    assert [len(trial["curve"]) for trial in data["trials"]] == [3, 3]
    assert data["trials"][data["winner"]["number"]]["score"] == finished.best_value
    assert "is ahead, not confirmed" in page.read_text()
    code, out, _ = command("report", "small", "--out", tmp_path / "mine.html")
    assert code == 0
    assert out.splitlines()[0] == str(tmp_path / "mine.html")
    (tmp_path / "theirs.html").write_text("<p>mine</p>")
    assert "a report must go to a new file" in refused("report", "small", "--out", tmp_path / "theirs.html")
    assert "must go to a file whose name ends in .html" in refused(
        "report", "small", "--out", tmp_path / "x.pdf"
    )
    assert "there is no study 'big'" in refused("report", "big")


def test_a_study_that_is_running(command, ledger, tmp_path):
    code, out, err = command("report", "begun", "--store", tmp_path / "mlruns")
    assert (code, err) == (0, "")
    text = re.sub("<[^>]*>", "", Path(out.splitlines()[0]).read_text())
    assert "No winner yet" in text
    assert f"finetune-search ui --store {tmp_path / 'mlruns'}" in text


def test_a_winner_is_looked_at(command, refused, finished):
    assert "there is no study 'big'" in refused("inspect", "big")
    code, out, err = command("inspect", "small", "--images", "8", "--flatness")
    assert (code, err) == (0, "")
    said = " ".join(out.split())
    assert "The winner's network is right on" in said
    assert "On 8 validation images spoilt in 16 ways and five severities" in said
    assert "Its loss on training images is" in said
    assert out.splitlines()[-1] == "finetune-search report small  # with pictures"
    code, out, _ = command("show", "small")
    assert code == 0
    assert "Is the winner good, not only accurate" in out
    code, out, _ = command("report", "small")
    assert "Its surest mistakes" in Path(out.splitlines()[0]).read_text()

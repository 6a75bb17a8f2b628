"""A data report as people see it: folded to the terminal, harmless as a page, never over another's file."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from search.view.check.files import write_json
from search.view.check.page import page, write_page
from search.view.check.terminal import render_check
from spaces import InputError
from trainables.data.listing import Listing, Sample
from trainables.quality.finding import Finding, Mention, Severity, one_each, share
from trainables.quality.report import Report
from trainables.quality.robust import modified_z

NASTY = '<script>alert("1")</script>.png'
ESCAPES = "red\x1b[31m\n.png"
BYTES = "name\udcff.png"


def report(*severities: Severity) -> Report:
    samples = [
        Sample(NASTY, "<b>cats</b>", "train"),
        Sample(ESCAPES, "dogs", "train"),
        Sample(BYTES, "dogs", "test"),
        *(
            Sample(f"a rather long folder name/and a rather long file name {n}.jpg", "dogs", "train")
            for n in range(60)
        ),
    ]
    findings = [
        Finding(
            kind=f"kind_{severity.name.lower()}",
            severity=severity,
            says=f"{share(60, 63)} are {severity.name.lower()}, in a sentence longer than any line.",
            advice="Do something about it, with --set this=that.",
            count=60,
            groups=((Mention(0, "cats & dogs"), Mention(1), Mention(2)), *one_each(range(3, 63))),
        )
        for severity in severities
    ]
    return Report("photos", Listing.of(samples), 60, tuple(findings), (("label_errors", "it needs a model"),))


def printed(report: Report, width: int, **options) -> str:
    out = io.StringIO()
    render_check(report, Console(file=out, width=width, highlight=False, **options))
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_lines_fit_the_terminal_and_names_do_no_harm(width):
    text = printed(report(*sorted(Severity, reverse=True)), width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    assert text.index("BLOCKER") < text.index("WARNING") < text.index("NOTICE")
    assert "and 57 more" in text
    assert text.splitlines()[0] == "photos: 63 images, 60 of them readable, 2 classes"
    assert text.rstrip().endswith("Training on this would be meaningless: kind blocker.")
    assert "\x1b[1;31m" in printed(
        report(Severity.BLOCKER), width, force_terminal=True, color_system="standard"
    )


def test_what_it_comes_to_is_said_in_the_last_line():
    assert printed(report(), 80).rstrip().endswith("Nothing wrong was found.")
    assert printed(report(Severity.NOTICE), 80).rstrip().endswith("1 notice; training is possible.")
    both = printed(report(Severity.WARNING, Severity.NOTICE), 80)
    assert both.rstrip().endswith("1 warning and 1 notice; training is possible.")


def thumbnail(row: int) -> Image.Image | None:
    return None if row == 2 else Image.fromarray(np.full((40, 60, 3), row, np.uint8))


def test_a_page_runs_nothing_asks_for_nothing_and_escapes_everything():
    text = page(report(Severity.WARNING, Severity.NOTICE), thumbnail)
    assert "<script" not in text
    assert "<b>cats" not in text
    assert "&lt;script&gt;" in text
    assert "&lt;b&gt;cats&lt;/b&gt;" in text
    assert "default-src 'none'" in text
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "cats &amp; dogs" in text
    assert text.count("no picture") == 2  # once a finding
    assert len(re.findall(r"<div class=group>", text)) == 2 * 24
    assert "Names of all 61" in text
    text.encode("utf-8", "backslashreplace")


def test_files_are_written_whole_again_and_never_over_anothers(tmp_path):
    ours = tmp_path / "below" / "check.html"
    write_page(report(Severity.NOTICE), ours, thumbnail)
    first = ours.read_bytes()
    write_page(report(Severity.NOTICE), ours, thumbnail)
    assert ours.read_bytes() == first
    write_json(report(Severity.NOTICE), tmp_path / "check.json")
    write_json(report(Severity.WARNING), tmp_path / "check.json")
    read = json.loads((tmp_path / "check.json").read_text())
    assert read["findings"][0]["severity"] == "warning"
    assert read["classes"]["dogs"] == {"train": 61, "test": 1}
    assert read["skipped"] == [{"kind": "label_errors", "reason": "it needs a model"}]
    assert read["findings"][0]["groups"][0][0] == {
        "image": NASTY, "class": "<b>cats</b>", "split": "train", "note": "cats & dogs"
    }  # fmt: skip
    (tmp_path / "theirs.html").write_text("<html>mine</html>")
    (tmp_path / "link.html").symlink_to(tmp_path / "nowhere")
    for path in (tmp_path / "theirs.html", tmp_path, tmp_path / "link.html"):
        with pytest.raises(InputError, match="a report must go to a new file"):
            write_page(report(), path, thumbnail)
    assert (tmp_path / "theirs.html").read_text() == "<html>mine</html>"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "below",
        "check.json",
        "link.html",
        "theirs.html",
    ]


def test_a_modified_z_score_is_that_of_iglewicz_and_hoaglin():
    values = np.asarray([1.0, 2.0, 3.0, 4.0, 100.0])
    assert modified_z(values, 1e-9) == pytest.approx(0.6745 * (values - 3.0) / 1.0)
    alike = np.asarray([1.0, 1.0, 1.0, 1.0, 1.01])
    assert np.abs(modified_z(alike, 0.1)).max() < 0.1

"""`finetune-search preflight`: printed, written, and its exit code."""

from __future__ import annotations

import json

PLAIN = ("--set", "device=cpu", "--set", "precision=fp32", "--set", "strategy=full")


def test_it_prints_and_writes_and_nothing_of_a_users_is_overwritten(command, tmp_path, glyph_weights):
    del glyph_weights
    files = "--html", tmp_path / "p.html", "--json", tmp_path / "p.json"
    code, out, err = command("preflight", "digits", *PLAIN, *files)
    assert code == 0, err
    assert "Nothing stands in its way." in out
    assert "learning rate for full: " in out
    assert (tmp_path / "p.html").read_text().startswith("<!doctype html>")
    assert json.loads((tmp_path / "p.json").read_text())["study"] == "digits"
    (tmp_path / "mine.html").write_text("mine")
    code, _, err = command("preflight", "digits", *PLAIN, "--html", tmp_path / "mine.html")
    assert code == 2
    assert "mine.html is another" in err
    assert (tmp_path / "mine.html").read_text() == "mine"


def test_it_ends_with_two_where_nothing_can_work(command):
    broken = "--set", "model=tests.trainables.preflight.planted:overflows", "--set", "pretrained=false"
    code, out, _ = command("preflight", "digits", *PLAIN[:2], *PLAIN[4:], *broken, "--set", "precision=fp16")
    assert code == 2
    assert "The study cannot work: overflow." in out

"""What the tests of this folder are given."""

from __future__ import annotations

import sys

import pytest

from search import cli, register
from search.reading import load_spec
from tests.search.cli.parts import FINISHED
from tests.search.finished import finish
from trainables.protocol import EpochRecord


@pytest.fixture
def command(monkeypatch, capfd, tmp_path):
    """Types a command; returns its exit code, output and complaint."""
    monkeypatch.setenv("FINETUNE_SEARCH_STORE", str(tmp_path / "mlruns"))
    monkeypatch.setenv("COLUMNS", "80")
    capfd.readouterr()

    def type_in(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["finetune-search", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return type_in


@pytest.fixture
def refused(command):
    """Types a command that must be refused; returns its one sentence."""

    def type_in(*words: object, code: int = 2) -> str:
        got, out, err = command(*words)
        assert (got, out) == (code, ""), err
        assert err.startswith("finetune-search: ")
        assert err.count("\n") == 1
        assert "Traceback" not in err
        return err.removeprefix("finetune-search: ").rstrip("\n")

    return type_in


@pytest.fixture
def ledger(store):
    """A study as an interrupted driver leaves it: one trial RUNNING with a record, none COMPLETE."""
    spec = load_spec("digits", {"name": "begun", "epochs": 3})
    ledger = register.open_ledger(store, spec, spec.search_space(), "begun")
    register.enter(ledger, spec)
    ledger.ask(lambda number: 7)
    ledger.record(0, EpochRecord(1, 0.5, {"val/accuracy": 0.5, "epoch_seconds": 1.0}))
    return ledger


@pytest.fixture
def finished(store):
    """A study that is done: two trials, really trained, by the ledger's own means and without Ray."""
    return finish(store, FINISHED)

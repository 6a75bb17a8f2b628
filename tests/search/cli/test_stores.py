from __future__ import annotations

import os
import shutil
import subprocess
import sys

import optuna
import pytest
from filelock import FileLock

from search import register
from search.reading import load_spec
from search.store.databases import open_storage
from search.store.layout import Store


def test_a_store_in_which_nothing_was_run(command, refused, tmp_path):
    root = tmp_path / "mlruns"
    code, out, _ = command("list")
    assert code == 0
    assert "".join(out.split("\n")) == f"no study in {root} yet; run one: finetune-search run"
    assert refused("show", "x") == f"there is no study 'x' in {root}; no study was run there yet"
    assert refused("best", "x") == f"there is no study 'x' in {root}; no study was run there yet"
    assert refused("ui").startswith(f"no study was run in {root} yet")
    assert not root.exists()


def test_a_study_without_an_answer(command, refused, ledger, tmp_path):
    assert refused("best", "begun") == "a winner must be a COMPLETE trial, but study 'begun' has none"
    code, out, err = command("show", "begun")
    assert (code, err) == (0, "")
    assert "no trial is COMPLETE" in out
    assert refused("show", "began") == f"there is no study 'began' in {tmp_path / 'mlruns'}; there are: begun"
    code, out, _ = command("list")
    assert out.splitlines()[1].split() == ["begun", "digits", "glyphs", "1:", "1", "RUNNING", "-"]


def test_a_study_of_the_ledger_needs_no_file(command, store, tmp_path):
    (tmp_path / "space.yaml").write_text(
        "parameters:\n  strategy: {switch: {full: {lr: {float: [1e-4, 1e-2]}}}}\n"
    )
    spec = load_spec("digits", {"name": "mine", "space": str(tmp_path / "space.yaml")})
    register.enter(register.open_ledger(store, spec, spec.search_space(), "mine"), spec)
    (tmp_path / "space.yaml").unlink()
    code, _, err = command("show", "mine")
    assert (code, err) == (0, "")


def test_a_study_made_by_other_means(refused, store):
    optuna.create_study(study_name="byhand", storage=open_storage(store))
    assert refused("show", "byhand").startswith("study 'byhand' must have been made by `finetune-search run`")


@pytest.mark.parametrize("words", [["list"], ["show", "begun"], ["best", "begun"], ["run"]])
def test_a_damaged_ledger(command, ledger, tmp_path, words):
    file = tmp_path / "mlruns" / "optuna.db"
    whole = file.read_bytes()
    for content, problem in [
        (b"rubbish" * 1000, "file is not a database"),
        (whole[:4096] + bytes(range(256)) * ((len(whole) - 4096) // 256), "database disk image is malformed"),
    ]:
        file.write_bytes(content)
        code, _, err = command(*words)
        assert code in {1, 2}
        assert err.startswith("finetune-search: ")
        assert err.rstrip("\n").endswith(problem)
        assert err.count("\n") == 1


def test_a_store_that_cannot_be_written(refused, tmp_path):
    (tmp_path / "file").write_text("")
    said = refused("run", "--store", tmp_path / "file")
    assert said.startswith(f"the store must be writable, but {tmp_path / 'file'}: ")
    assert refused("list", "--store", tmp_path / "a?b").startswith("a store's path must not hold `?`")


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write everywhere")
def test_a_read_only_store(ledger, tmp_path):
    root = tmp_path / "mlruns"
    for path in [root, *root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for parent in [tmp_path, tmp_path.parent, tmp_path.parent.parent]:
        parent.chmod(0o755)
    drop = ["setpriv", "--reuid", "65534", "--clear-groups"] if os.geteuid() == 0 else []
    command = [*drop, sys.executable, "-m", "search", "run", "--name", "other", "--store", str(root)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.startswith("finetune-search: ")
    assert "writ" in ended.stderr


def test_a_study_that_runs_elsewhere_is_no_bad_input(refused, tmp_path):
    lock = Store(tmp_path / "mlruns").study_lock("digits")
    lock.parent.mkdir(parents=True)
    with FileLock(lock):
        assert "is being run by another process" in refused("run", code=1)

"""The command line as a user meets it: what it prints, where, and with which exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from search.ledger import records_of
from search.overview import load_study
from search.store.layout import Store
from tests.search.cli.parts import val_losses

SMALL = [
    "--data", "tests.search.parts:quadrants", "--model", "test_resnet", "--epochs", "3",
    "--set", "pretrained=false", "--set", "repeats=2", "--set", "batch_size={low: 8, high: 24, default: 16}",
]  # fmt: skip


@pytest.mark.timeout(120)
def test_run_list_show_best_and_train(command, refused, finished, tmp_path):
    assert refused("confirm", "small", "--seeds", "2").startswith("to be confirmed a search must be over")
    assert "--seeds" in refused("confirm", "small", "--seeds", "0")
    assert refused("perturb", "small").startswith("to be perturbed a search must be over")
    assert "--seeds" in refused("perturb", "small", "--seeds", "0")
    run = ["run", "digits", "--name", "small", "--trials", "2", "--set", "finalists=0", *SMALL]
    code, out, err = command(*run)  # nothing is left to do but to say so
    assert code == 0, err
    assert "2 trials: 2 COMPLETE" in out
    assert "finetune-search best small" in out

    code, out, err = command("list")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split() == ["study", "data", "model", "trials", "best"]
    cells = [
        "small",
        "tests.search.parts:quadrants",
        "test_resnet",
        "2: 2 COMPLETE",
        f"{finished.best_value:.3f}",
    ]
    assert out.splitlines()[1].split("  ") == cells
    assert max(map(len, out.splitlines())) <= 80

    code, shown, err = command("show", "small")
    assert (code, err) == (0, "")
    assert "2 trials: 2 COMPLETE" in shown
    assert max(len(line) for line in shown.splitlines() if "/" not in line) <= 80  # paths are not broken

    assert "There are too few trials for so many parameters." in shown
    assert "  finetune-search run --like small --name small-2 --trials " in shown
    assert refused("perturb", "small", "--only", "droput") == (
        "a parameter to change must be one of the winner's that can vary, but got 'droput'; did you mean 'dropout'?"
    )

    # What a verdict says to type is a study like this one, with a name of its own.
    assert refused("run", "--like", "small", "--trials", "3") == (
        "a study like 'small' must have a name of its own: --name"
    )
    assert refused("run", "digits", "--like", "small", "--name", "other") == (
        "one of STUDY and --like must be given, but got digits and small"
    )
    assert refused("run", "--like", "smal", "--name", "other").startswith("there is no study 'smal'")
    assert refused("run", "--like", "small", "--name", "other", "--set", "dropuot=0.1").startswith(
        "'dropuot' is neither a setting of a study nor a parameter of its space; did you mean 'dropout'?"
    )
    code, out, err = command(
        "run", "--like", "small", "--name", "other", "--set", "dropout=0.1", "--epochs", "2"
    )
    assert code == 0, err
    assert "2 trials:" in out
    like = load_study(Store(tmp_path / "mlruns"), "other").spec
    assert (like.epochs, like.narrow["dropout"], like.data) == (2, 0.1, "tests.search.parts:quadrants")
    assert like.narrow["batch_size"] == {"low": 8, "high": 24, "default": 16}

    best = finished.best_trial
    code, recipe, err = command("best", "small")
    assert (code, err) == (0, "")
    written = yaml.safe_load(recipe)
    assert written["seed"] == best.user_attrs["seed"]
    assert written["settings"]["precision"] == finished.user_attrs["settled"]["precision"]
    assert written["params"] == best.params

    # The same numbers again, epoch by epoch, and others with another seed.
    file, weights = tmp_path / "r.yaml", tmp_path / "w.safetensors"
    file.write_text(recipe)
    code, out, err = command("train", file, "--out", weights)
    assert (code, err) == (0, "")
    losses = [f"{record.metrics['val/loss']:.4f}" for record in records_of(best)]
    assert val_losses(out) == losses
    assert f"best validation score {best.value:.4f}" in out
    assert weights.stat().st_size > 100_000
    code, out, _ = command("train", file, "--seed", "5")
    assert code == 0
    assert val_losses(out) != losses

    assert refused("train", file, "--out", weights) == f"--out must be a new file, but {weights} exists"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "dropout=[0,0.3]"], "study 'small' exists with another space; "),
        (["--epochs", "4"], "study 'small' exists with epochs=3, but now epochs=4; "),
        (
            ["--data", "glyphs"],
            "study 'small' exists with data='tests.search.parts:quadrants', but now data='glyphs'; ",
        ),
    ],
)
def test_a_name_that_is_another_studys(command, finished, words, said):
    code, _, err = command(
        "run", "digits", "--name", "small", "--trials", "2", "--set", "finalists=0", *SMALL, *words
    )
    assert code == 2
    assert err == f"finetune-search: {said}continue it as it was, or choose another --name\n"


def test_what_typer_itself_refuses(refused, command):
    assert refused("lst") == "No such command 'lst'; did you mean 'list'?"
    assert refused("frob") == (
        "No such command 'frob'; there are: run, confirm, perturb, compare, check, preflight, list, show, report, "
        "inspect, log, best, train, predict, rehearse, record, submit, status, logs, stop, clean, ui"
    )
    assert refused("run", "--trails", "3").startswith("No such option: --trails")
    assert refused("show") == "Missing argument 'NAME'; see finetune-search show --help"
    assert refused("run", "a", "b").startswith("Got unexpected extra argument")
    assert "--port" in refused("ui", "--port", "70000")
    code, out, err = command()
    assert (code, out) == (2, "")
    assert err.startswith("Usage: finetune-search")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["digit"], "a study must be one of digits, images or a .yaml file, but got 'digit'; did you mean 'digits'?"),
        (["no.yaml"], "'no.yaml' must be a readable YAML file, but: No such file or directory"),
        (["--set", "dropout"], "--set must have the form key=value, but got 'dropout'"),
        (["--set", "=1"], "--set must have the form key=value, but got '=1'"),
        (["--set", "dropout=[0.5,0.1]"], "dropout: `low <= high` must hold, but got low=0.5, high=0.1"),
        (["--set", "drop=1"], "'drop' is neither a setting of a study nor a parameter of its space; "
                              "did you mean 'dropout'?"),
        (["--trials", "0"], "`trials >= 1` must hold, but got trials=0"),
        (["--epochs", "-1"], "`epochs >= 1` must hold, but got epochs=-1"),
        (["--epochs", "abc"], "`epochs` must be a whole number, but got 'abc'"),
        (["--time", "soon"], "`time` must be a number, but got 'soon'"),
        (["--set", "grace=99"], "`1 <= grace <= epochs` must hold, but got grace=99, epochs=27"),
    ],
)  # fmt: skip
def test_a_study_that_is_none_is_refused_before_anything_is_made(refused, tmp_path, words, said):
    assert refused("run", *words) == said
    assert not (tmp_path / "mlruns").exists()


def test_files_that_are_none(refused, tmp_path):
    (tmp_path / "dir.yaml").mkdir()
    (tmp_path / "bin.yaml").write_bytes(b"\xff\xfe\x00\x80")
    (tmp_path / "bad.yaml").write_text("a: [1\nb: }")
    assert refused("run", tmp_path / "dir.yaml").endswith("must be a readable YAML file, but: Is a directory")
    assert (
        refused("run", tmp_path / "bin.yaml")
        == "bin.yaml: a YAML file must be text in UTF-8, but this is not"
    )
    assert refused("run", tmp_path / "bad.yaml").startswith("bad.yaml, line 2: this must be YAML, but")
    assert refused("train", tmp_path).endswith("must be a readable YAML file, but: Is a directory")
    assert refused("train", tmp_path / "none.yaml").endswith("No such file or directory")
    space = tmp_path / "space.yaml"
    space.write_text("parameters:\n  dropout: {float: [0.5, 0.1]}\n")
    assert refused("run", "--space", space) == (
        "space.yaml, line 2: dropout: `low <= high` must hold, but got low=0.5, high=0.1"
    )


def test_help_is_quick_and_loads_no_library():
    watch = "import sys, search.cli; sys.argv = ['x', '--help']\ntry: search.cli.main()\nfinally: " \
            "print([m for m in ('ray', 'torch', 'mlflow', 'optuna') if m in sys.modules])"  # fmt: skip
    ended = subprocess.run([sys.executable, "-c", watch], capture_output=True, text=True, timeout=30)
    assert ended.stdout.startswith("Usage: finetune-search")
    assert ended.stdout.rstrip().endswith("[]")


def test_the_console_script_sees_modules_of_the_working_folder(tmp_path):
    script = Path(sys.executable).with_name("finetune-search")
    (tmp_path / "mine.py").write_text(
        "from spaces import load_space\nspace = load_space('probe')\nnone = 3\n"
    )
    ended = subprocess.run(
        [script, "run", "--space", "mine:none"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "finetune-search: 'mine:none' must be a SearchSpace, but got a int\n"


def test_a_reader_that_has_seen_enough_is_no_error(ledger, tmp_path):
    command = f"{sys.executable} -m search list --store {tmp_path / 'mlruns'} | true"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert ended.stderr == ""

"""The command line as a user meets it: what it prints, where, and with which exit code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
import yaml
from filelock import FileLock
from optuna.trial import TrialState

from search import cli, register
from search.decisions.phase import own_end
from search.ledger import records_of
from search.recipe import recipe_of
from search.spec import load_spec
from search.store.databases import open_storage, prepare
from search.store.layout import Store
from tests.search.parts import LOG
from trainables.builder import from_params
from trainables.data import load_dataset
from trainables.material import prepare as material_of
from trainables.material import settle
from trainables.protocol import EpochRecord

SMALL = [
    "--data", "tests.search.parts:quadrants", "--model", "test_resnet", "--epochs", "3",
    "--set", "pretrained=false", "--set", "repeats=2", "--set", "batch_size={low: 8, high: 24, default: 16}",
]  # fmt: skip

FINISHED = {
    "name": "small", "data": "tests.search.parts:quadrants", "model": "test_resnet", "epochs": 3,
    "pretrained": False, "repeats": 2, "batch_size": {"low": 8, "high": 24, "default": 16}, "trials": 2,
    "finalists": 0,
}  # fmt: skip


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


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> Path:
    """A store without a study; MLflow needs seconds to make its tables."""
    root = tmp_path_factory.mktemp("store") / "mlruns"
    prepare(Store(root))
    return root


@pytest.fixture
def store(empty, tmp_path) -> Store:
    shutil.copytree(empty, tmp_path / "mlruns")
    return Store(tmp_path / "mlruns")


@pytest.fixture
def ledger(store):
    """A study as an interrupted driver leaves it: one trial RUNNING with a record, none COMPLETE."""
    spec = load_spec("digits", {"name": "begun", "epochs": 3})
    ledger = register.open_ledger(store, spec, spec.search_space(), "begun")
    register.enter(ledger, spec)
    ledger.ask(lambda number: 7)
    ledger.record(0, EpochRecord(1, 0.5, {"val/accuracy": 0.5, "epoch_seconds": 1.0}))
    return ledger


# -- a finished study, and its recipe --------------------------------------------------------------------


@pytest.fixture
def finished(store):
    """A study that is done: two trials, really trained, by the ledger's own means and without Ray."""
    spec = load_spec("digits", FINISHED)
    material = material_of(load_dataset(spec.data), spec.fixed())
    ledger = register.open_ledger(store, spec, spec.search_space(), "small")
    register.enter(ledger, spec)
    fixed = settle(spec.fixed(), material)
    register.write_settled(ledger, fixed)
    for _ in range(spec.trials):
        trial = ledger.ask(lambda number: 100 + number)
        for record in from_params(trial.params, fixed, trial.seed, material).epochs():
            ledger.record(trial.number, record)
        ledger.finish(trial.number, TrialState.COMPLETE, "")
    return ledger.study


@pytest.mark.timeout(120)
def test_run_list_show_best_and_train(command, refused, finished, tmp_path):
    run = ["run", "--name", "small", "--trials", "2", "--set", "finalists=0", *SMALL]
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


def val_losses(out: str) -> list[str]:
    return [line.split("val/loss ")[1].split()[0] for line in out.splitlines() if "val/loss" in line]


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
    code, _, err = command("run", "--name", "small", "--trials", "2", "--set", "finalists=0", *SMALL, *words)
    assert code == 2
    assert err == f"finetune-search: {said}continue it as it was, or choose another --name\n"


# -- bad input -------------------------------------------------------------------------------------------


def test_what_typer_itself_refuses(refused, command):
    assert refused("lst") == "No such command 'lst'; did you mean 'list'?"
    assert refused("frob") == "No such command 'frob'; there are: run, list, show, best, train, ui"
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
        (["digit"], "a study must be one of digits or a .yaml file, but got 'digit'; did you mean 'digits'?"),
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


RECIPE = """\
data: tests.search.parts:quadrants
settings: {model: test_resnet, pretrained: false, precision: fp32, epochs: 2, repeats: 1}
params: {batch_size: 16, strategy: full, strategy.full.lr: 0.001}
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("batch_size: 16", "batch_size: 99", "r.yaml: `batch_size <= training images` must hold, but got "
                                             "batch_size=99 with 48 training images"),
        ("strategy: full", "strategy: fool", "r.yaml: `strategy` must be one of feature_extraction, full, layer_decay"),
        ("batch_size", "batch", "r.yaml: every searched parameter must reach the training, but 'batch' is read by "
                                "nothing; known: strategy, batch_size"),
        ("epochs: 2", "epochs: -2", "r.yaml, line 2: `settings.epochs >= 1` must hold, but got"),
        ("params", "parms", "r.yaml, line 3: there is no setting 'parms'; did you mean 'params'?"),
    ],
)  # fmt: skip
def test_a_broken_recipe(refused, tmp_path, old, new, said):
    file = tmp_path / "r.yaml"
    file.write_text(RECIPE.replace(old, new))
    assert refused("train", file).startswith(said)


PATIENCE = {"stopping.patience.epochs": 1, "stopping.patience.improvement": 1.0}


@pytest.mark.timeout(120)
def test_best_and_train_of_a_recipe_with_options_that_ends_itself(command, store, tmp_path):
    options = {**PATIENCE, "optimizer.sgd.momentum": 0.5}
    parts = {"stopping": "patience", "optimizer": "sgd", "options": options}
    spec = load_spec("digits", {**FINISHED, **parts, "trials": 1})
    material = material_of(load_dataset(spec.data), spec.fixed())
    ledger = register.open_ledger(store, spec, spec.search_space(), "small")
    register.enter(ledger, spec)
    fixed = settle(spec.fixed(), material)
    register.write_settled(ledger, fixed)
    trial = ledger.ask(lambda number: 100 + number)
    for record in from_params(trial.params, fixed, trial.seed, material).epochs():
        ledger.record(trial.number, record)
    assert record.ended
    assert record.epoch == 2
    ended = ledger.finish(trial.number, TrialState.COMPLETE, own_end(record))

    code, recipe, err = command("best", "small")
    assert (code, err) == (0, "")
    written = yaml.safe_load(recipe)
    assert {name: written["settings"][name] for name in parts} == parts
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe)
    code, out, err = command("train", file)
    assert (code, err) == (0, "")
    assert val_losses(out) == [f"{record.metrics['val/loss']:.4f}" for record in records_of(ended)]
    assert out.splitlines()[2] == "the recipe ends itself here: no improvement by 1 in 1 epochs"
    assert f"best validation score {ended.value:.4f}" in out.splitlines()[3]

    code, out, err = command("show", "small")
    assert (code, err) == (0, "")
    assert "Ended by their own rule before the full budget: trial 0." in out
    # Another momentum is another training: the option is heard.
    file.write_text(recipe.replace("optimizer.sgd.momentum: 0.5", "optimizer.sgd.momentum: 0.95"))
    code, out, _ = command("train", file)
    assert code == 0
    assert val_losses(out) != [f"{record.metrics['val/loss']:.4f}" for record in records_of(ended)]


def test_a_training_of_ones_own_stops_where_it_says_that_it_ends(command, tmp_path, monkeypatch):
    monkeypatch.setenv(LOG, str(tmp_path / "epochs.log"))
    file = tmp_path / "r.yaml"
    recipe = RECIPE.replace("epochs: 2", "epochs: 5") + "trainable: tests.search.parts:Ending\n"
    file.write_text(recipe)
    code, out, err = command("train", file)
    assert (code, err) == (0, "")
    assert len(val_losses(out)) == 3
    assert "the recipe ends itself here: enough" in out
    assert len((tmp_path / "epochs.log").read_text().splitlines()) == 3


@pytest.mark.parametrize("pays", [True, False])
def test_what_a_study_decided_once_is_decided_for_its_life_and_for_its_recipe(store, pays):
    spec = load_spec("digits", {**FINISHED, "compile": "auto"})
    ledger = register.open_ledger(store, spec, spec.search_space(), "small")
    register.enter(ledger, spec)
    decided = {"device": "cpu", "precision": "bf16", "compile": pays}
    assert register.settled_once(ledger, spec.fixed()) is None
    register.write_settled(ledger, spec.fixed().model_copy(update=decided))
    again = register.settled_once(ledger, spec.fixed())
    assert again == spec.fixed().model_copy(update=decided)
    recipe = yaml.safe_load(recipe_of(spec, spec.search_space().baseline(), settled=decided))
    assert recipe["settings"]["compile"] is pays
    assert recipe["settings"]["precision"] == "bf16"
    assert "device" not in recipe["settings"]
    plain = load_spec("digits", FINISHED)
    recipe = yaml.safe_load(recipe_of(plain, plain.search_space().baseline(), settled=decided))
    assert "compile" not in recipe["settings"]


def test_weights_are_refused_before_the_training_where_they_cannot_be_written(refused, tmp_path):
    (tmp_path / "r.yaml").write_text(RECIPE)
    (tmp_path / "file").write_text("")
    said = refused("train", tmp_path / "r.yaml", "--out", tmp_path / "file" / "w.safetensors")
    assert said.startswith("--out must be a file that can be written, but ")


def test_a_training_that_diverges_is_no_bad_input(refused, command, tmp_path):
    file = tmp_path / "r.yaml"
    file.write_text(RECIPE.replace("lr: 0.001", "lr: 1.0e+30"))
    code, _, err = command("train", file)
    assert code == 1
    assert err.startswith("finetune-search: r.yaml: diverged: ")


# -- stores ----------------------------------------------------------------------------------------------


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


# -- as a program ----------------------------------------------------------------------------------------


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

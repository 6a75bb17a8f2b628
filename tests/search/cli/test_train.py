from __future__ import annotations

import pytest
import yaml
from optuna.trial import TrialState

from search import register
from search.decisions.phase import own_end
from search.ledger import records_of
from search.reading import load_spec
from search.recipe import recipe_of
from tests.search.cli.parts import FINISHED, val_losses
from tests.search.parts import LOG
from trainables.builder import from_params
from trainables.data import load_dataset
from trainables.material import prepare as material_of
from trainables.settling import settle

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

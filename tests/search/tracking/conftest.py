"""What the tests of this folder are given."""

import shutil
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from search.store import Store, open_storage, prepare
from tests.search.tracking.parts import NAME, add_record


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prepared")
    prepare(Store(root))
    return root


@pytest.fixture
def store(prepared: Path, tmp_path: Path) -> Store:
    """A prepared store; making MLflow's schema anew for each test would take seconds."""
    store = Store(tmp_path / "store")
    store.root.mkdir()
    for name in ("optuna.db", "mlflow.db"):
        shutil.copy(prepared / name, store.root / name)
    return store


@pytest.fixture
def ledger(store: Store) -> optuna.Study:
    """A study with a COMPLETE, a PRUNED, a FAIL and a RUNNING trial, and one that waits."""
    study = optuna.create_study(study_name=NAME, storage=open_storage(store), direction="maximize")
    for number, epochs in enumerate((3, 2, 1, 2)):
        trial = study.ask()
        trial.suggest_float("optimizer.lr", 1e-5, 1e-1, log=True)
        trial.suggest_categorical("strategy", ["full", "feature_extraction"])
        trial.set_user_attr("seed", 10 + number)
        for epoch in range(1, epochs + 1):
            add_record(trial, epoch)
    study.tell(0, 0.52)
    trials = study.trials
    study._storage.set_trial_user_attr(trials[1]._trial_id, "reason", "stopped by ASHA at epoch 2")
    study._storage.set_trial_user_attr(trials[2]._trial_id, "reason", "diverged: loss is nan at epoch 2")
    study.tell(1, state=TrialState.PRUNED)
    study.tell(2, state=TrialState.FAIL)
    study.enqueue_trial({"optimizer.lr": 1e-3})
    return study

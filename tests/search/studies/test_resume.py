"""SIGKILL in mid-study, the same command again: nothing lost, nothing doubled, nothing trained twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from search.register import confirm_name
from search.store.databases import open_storage
from search.store.layout import Store
from search.tracking.states import mlflow_states

STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED"}
COMMAND = [
    sys.executable, "-m", "search", "run", "digits", "--name", "killed", "--trials", "8", "--epochs", "9",
    "--data", "tests.search.parts:quadrants", "--model", "test_resnet", "--set", "pretrained=false",
    "--set", "precision=fp32", "--set", "finalists=1", "--set", "finalist_seeds=2", "--set", "repeats=8",
    "--set", "batch_size={low: 8, high: 24, default: 16}", "--set", "strategy=[full, layer_decay]",
    "--set", "trainable=tests.search.parts:Logged",
]  # fmt: skip


def wait_for(condition, seconds: float, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the study did not come that far in time"
        assert process.poll() is None, "the study ended before it was killed"
        time.sleep(0.05)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.timeout(400)
def test_a_killed_study_goes_on_with_the_same_command(tmp_path):
    log, root = tmp_path / "epochs.log", tmp_path / "mlruns"
    environment = {**os.environ, "FINETUNE_SEARCH_TEST_LOG": str(log), "CI": "true"}
    command = [*COMMAND, "--store", str(root)]

    with (tmp_path / "first.txt").open("w") as said:
        first = subprocess.Popen(command, env=environment, stdout=said, stderr=subprocess.STDOUT)
        wait_for(lambda: len(lines(log)) >= 20, 150, first)
        first.send_signal(signal.SIGKILL)
        first.wait()
    store = Store(root)
    before = optuna.load_study(study_name="killed", storage=open_storage(store)).trials
    assert any(trial.state is TrialState.RUNNING for trial in before)
    finished = {t.number: dict(t.intermediate_values) for t in before if t.state.is_finished()}

    second = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240
    )
    assert second.returncode == 0, second.stdout

    trials = optuna.load_study(study_name="killed", storage=open_storage(store)).trials
    assert [trial.number for trial in trials] == list(range(8))
    assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    for number, values in finished.items():
        assert trials[number].intermediate_values == values
    for trial in trials:
        assert sorted(trial.intermediate_values) == list(range(1, len(trial.intermediate_values) + 1))
    confirmations = optuna.load_study(study_name=confirm_name("killed"), storage=open_storage(store)).trials
    assert Counter(trial.state for trial in confirmations) == {TrialState.COMPLETE: len(confirmations)}

    # An epoch that was trained but not yet recorded when everything died may be trained again, of the
    # two trials that were in flight; none of a trial that was finished then.
    trained = Counter(lines(log))
    assert sum(trained.values()) - len(trained) <= 2
    ended_before = {str(trials[number].user_attrs["seed"]) for number in finished}
    again = {line for line, times in trained.items() if times > 1}
    assert not {line.split()[0] for line in again} & ended_before
    assert mlflow_states(store, "killed") == {t.number: (STATUS[t.state.name], t.state.name) for t in trials}


@pytest.mark.timeout(200)
def test_a_study_that_runs_elsewhere_is_left_alone(small_study):
    from filelock import FileLock

    from search import StudyError

    study = small_study()
    lock = study.store.study_lock("small")
    lock.parent.mkdir(parents=True)
    with FileLock(lock), pytest.raises(StudyError, match="being run by another process"):
        study.run()

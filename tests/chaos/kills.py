"""Kills a study at a random moment, types the same command again, and looks whether anything was lost or doubled.

    python -m tests.chaos.kills                        # sixty-three kills, an hour and a half on two cores
    python -m tests.chaos.kills --number 4 --first 20  # some of them

Each kill has a number, from which its kind and its moment follow. Before the first one the study runs once undisturbed:
it says how long a study takes, and what its learning curves are.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import optuna
import psutil
from optuna.trial import FrozenTrial, TrialState

from search.ledger import FAULTS
from search.register import confirm_name
from search.store.databases import open_storage
from search.store.layout import Store
from search.tracking.states import mlflow_states
from tests.search.cluster import RayCluster, ray_cluster
from tests.search.parts import LOG

NAME, TRIALS, WORKERS = "chaos", 10, 2
STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED"}
COMMAND = [
    sys.executable, "-m", "search", "run", "digits", "--name", NAME, "--trials", str(TRIALS), "--epochs", "9",
    "--data", "tests.search.parts:quadrants", "--model", "test_resnet", "--set", "pretrained=false",
    "--set", "precision=fp32", "--set", "finalists=1", "--set", "finalist_seeds=2", "--set", "repeats=8",
    "--set", "batch_size={low: 8, high: 24, default: 16}", "--set", "strategy=[full, layer_decay]",
    "--set", "trainable=tests.search.parts:Logged", "--set", "searcher=random", "--set", f"workers={WORKERS}",
]  # fmt: skip
KINDS = {
    "driver": "SIGKILL of the driver",
    "group": "SIGKILL of the driver and of all its processes at once",
    "actor": "SIGKILL of a process that trains",
    "node": "SIGKILL of Ray's own process of the node",
    "machine": "SIGKILL of one of two nodes, with all that trains there",
    "twice": "Ctrl-C, and again a moment later",
    "once": "Ctrl-C",
}
"""What is killed, in words. The trials of one that is only interrupted end their epoch."""
GOES_ON = {"actor", "machine"}
"""Of these a study takes no notice: the command need not be typed again."""
TRAINING = ("ray::Worker", "ray::ResourceTrainable")
"""What Ray calls a process that trains: between two calls, and in one."""
PATIENCE = 400.0
"""Seconds for which a study may run."""


@dataclass
class Study:
    """One study in a folder of its own.

    Args:
        folder: Where its store and the log of its epochs are.
        cluster: Where it trains; none for a Ray of its own.
    """

    folder: Path
    cluster: RayCluster | None = None

    @property
    def store(self) -> Store:
        return Store(self.folder / "mlruns")

    @property
    def log(self) -> Path:
        """Of the epochs that were trained, as `tests.search.parts` writes it."""
        return self.folder / "epochs.log"

    def start(self) -> subprocess.Popen[bytes]:
        environment = {
            **(self.cluster.user if self.cluster else os.environ),
            LOG: str(self.log),
            "CI": "true",
        }
        where = ["--address", self.cluster.address] if self.cluster else []
        with (self.folder / "said.txt").open("ab") as said:
            return subprocess.Popen(
                [*COMMAND, "--store", str(self.store.root), *where], env=environment, stdout=said, stderr=said,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def said(self) -> str:
        return (self.folder / "said.txt").read_text(errors="replace")

    def trials(self, name: str = NAME) -> list[FrozenTrial]:
        if not self.store.optuna_db.exists():
            return []
        storage = open_storage(self.store)
        if name not in optuna.get_all_study_names(storage):
            return []
        return optuna.load_study(study_name=name, storage=storage).trials

    def trained(self) -> list[tuple[str, int]]:
        """(trial, epoch) of each epoch that was trained."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [(line.rpartition(" ")[0], int(line.rpartition(" ")[2])) for line in lines]

    def curves(self) -> dict[int, dict[int, float]]:
        return {trial.number: dict(trial.intermediate_values) for trial in self.trials()}


@dataclass
class Outcome:
    """What a kill left, and what the same command made of it."""

    kind: str
    moment: float
    done: bool = False
    finished: int = 0
    running: int = 0
    again: int = 0
    wrong: list[str] = field(default_factory=list)


@contextmanager
def two_nodes(log: Path) -> Iterator[RayCluster]:
    """A cluster whose two nodes have a core each, and write their epochs into `log`. The second is what dies."""
    with ray_cluster(cpus=1, environment={LOG: str(log)}) as cluster:
        cluster.add(cpus=1)
        yield cluster


def kill(kind: str, study: Study, process: subprocess.Popen[bytes], rng: random.Random) -> bool:
    """Do it. Returns whether there was one to kill: of those that train there is none at the beginning and the end.

    For one that trains it is waited.
    """
    if kind == "machine":
        assert study.cluster is not None
        study.cluster.kill(study.cluster.last)
        study.cluster.add(cpus=1)  # as a cloud does
    elif kind == "actor":
        actors: list[psutil.Process] = []
        until = time.monotonic() + PATIENCE
        while not actors and process.poll() is None and time.monotonic() < until:
            there = psutil.Process(process.pid).children(recursive=True)
            actors = [one for one in there if any(name in " ".join(_words(one)) for name in TRAINING)]
            time.sleep(0.0 if actors else 0.05)
        if not actors:
            return False
        rng.choice(actors).kill()
    elif kind == "node":
        there = psutil.Process(process.pid).children(recursive=True)
        for one in there:
            if Path((_words(one) or [""])[0]).name == "raylet":
                one.kill()
    elif kind == "group":
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        for one in family:
            try:
                one.kill()
            except psutil.NoSuchProcess:
                continue
    elif kind == "driver":
        process.kill()
    else:
        process.send_signal(signal.SIGINT)
        if kind == "twice":
            time.sleep(rng.random())
            process.send_signal(signal.SIGINT)
    return True


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def disturb(number: int, folder: Path, undisturbed: dict[int, dict[int, float]], seconds: float) -> Outcome:
    """Start, kill at a random moment, start again until it is done; then look.

    Args:
        number: Of the kill; its kind and moment follow from it.
        folder: Empty.
        undisturbed: The curves by trial of a study that nobody killed.
        seconds: What that one took.
    """
    rng = random.Random(number)
    outcome = Outcome(list(KINDS)[number % len(KINDS)], rng.uniform(0.1, 0.95) * seconds)
    with two_nodes(Study(folder).log) if outcome.kind == "machine" else nullcontext() as cluster:
        return _disturb(outcome, Study(folder, cluster), undisturbed, rng)


def _disturb(
    outcome: Outcome, study: Study, undisturbed: dict[int, dict[int, float]], rng: random.Random
) -> Outcome:
    process = study.start()
    try:
        process.wait(outcome.moment)
    except subprocess.TimeoutExpired:
        outcome.done = kill(outcome.kind, study, process, rng)
    before = study.trials()
    outcome.finished = sum(trial.state.is_finished() for trial in before)
    outcome.running = sum(trial.state is TrialState.RUNNING for trial in before)
    ended = {str(trial.user_attrs["seed"]) for trial in before if trial.state.is_finished()}
    known = study.trained()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        outcome.wrong.append("the study that was disturbed never ended")
        process.kill()
        process.wait()
    if process.returncode or outcome.kind not in GOES_ON:
        process = study.start()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            outcome.wrong.append("the same command did not end")
        if process.returncode:
            outcome.wrong.append(f"the same command ended with {process.returncode}")
    outcome.wrong += _faults_of(study, undisturbed)
    trained = Counter(study.trained())
    outcome.again = sum(trained.values()) - len(trained)
    if outcome.again > WORKERS:
        outcome.wrong.append(f"{outcome.again} epochs were trained twice, of {WORKERS} that were under way")
    later = Counter(study.trained()[len(known) :])
    if any(trial.split()[0] in ended for trial, _ in later):
        outcome.wrong.append("an epoch of a finished trial was trained again")
    return outcome


def _faults_of(study: Study, undisturbed: dict[int, dict[int, float]]) -> list[str]:
    """What is wrong in the end."""
    wrong = []
    trials = study.trials()
    if [trial.number for trial in trials] != list(range(TRIALS)):
        wrong.append(f"the trials are {[trial.number for trial in trials]}")
    for trial in trials:
        epochs = len(trial.intermediate_values)
        if trial.state.name not in STATUS:
            wrong.append(f"trial {trial.number} is {trial.state.name}: {trial.user_attrs.get('reason')}")
        if sorted(trial.intermediate_values) != list(range(1, epochs + 1)):
            wrong.append(f"trial {trial.number} has the epochs {sorted(trial.intermediate_values)}")
        if len(trial.user_attrs.get(FAULTS, [])) > 1:
            wrong.append(f"trial {trial.number} broke off {len(trial.user_attrs[FAULTS])} times")
        for epoch, score in trial.intermediate_values.items():
            if undisturbed.get(trial.number, {}).get(epoch, score) != score:
                wrong.append(f"trial {trial.number} has another score after epoch {epoch} than undisturbed")
                break
    confirmations = study.trials(confirm_name(NAME))
    if not confirmations or any(one.state is not TrialState.COMPLETE for one in confirmations):
        wrong.append(f"the confirmation is {Counter(one.state.name for one in confirmations)}")
    labels = Counter((one.user_attrs["candidate"], one.user_attrs["seed"]) for one in confirmations)
    if any(times > 1 for times in labels.values()):
        wrong.append("a training of the confirmation is there twice")
    expected = {trial.number: (STATUS.get(trial.state.name), trial.state.name) for trial in trials}
    try:
        if mlflow_states(study.store, NAME) != expected:
            wrong.append("MLflow does not agree with the ledger")
    except ValueError as error:
        wrong.append(str(error))
    return wrong


def undisturbed(folder: Path) -> tuple[dict[int, dict[int, float]], float]:
    """The study's curves, and its seconds: those of a second time, when nothing has to be read from the disk first."""
    seconds, curves = 0.0, []
    for time_of in ("first", "second"):
        study, began = Study(folder / time_of), time.monotonic()
        study.folder.mkdir(parents=True)
        if study.start().wait(PATIENCE):
            raise SystemExit(study.said())
        curves.append(study.curves())
        seconds = time.monotonic() - began
    first, second = curves
    both = [(first[number], second[number]) for number in first]
    if any(one[epoch] != other[epoch] for one, other in both for epoch in one.keys() & other.keys()):
        raise SystemExit("two undisturbed studies must have the same curves, but have not")
    return second, seconds


def table(outcomes: list[Outcome]) -> str:
    """A row a kind."""
    rows = [
        "| killed | times | trials finished then, in flight | epochs trained again | wrong |",
        "|---|---|---|---|---|",
    ]
    by_kind = defaultdict(list)
    for outcome in outcomes:
        by_kind[outcome.kind].append(outcome)
    for kind, words in KINDS.items():
        found = [one for one in by_kind[kind] if one.done]
        if found:
            finished, running = sum(one.finished for one in found), sum(one.running for one in found)
            again, wrong = sum(one.again for one in found), sum(bool(one.wrong) for one in found)
            rows.append(f"| {words} | {len(found)} | {finished}, {running} | {again} | {wrong} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--number", type=int, default=63)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="finetune-search-chaos-") as name:
        curves, seconds = undisturbed(Path(name) / "undisturbed")
        print(f"undisturbed: {seconds:.0f} s", flush=True)
        for number in range(given.first, given.first + given.number):
            folder = Path(name) / str(number)
            folder.mkdir()
            outcome = disturb(number, folder, curves, seconds)
            outcomes.append(outcome)
            stood = f"{outcome.finished} finished, {outcome.running} in flight, {outcome.again} epochs again"
            stood += "" if outcome.done else ", nothing was killed"
            found = "; ".join(outcome.wrong) or "all well"
            print(f"{number}: {outcome.kind} at {outcome.moment:.1f} s, {stood}: {found}", flush=True)
            if outcome.wrong:
                print(Study(folder).said()[-3000:], flush=True)
    print(table(outcomes))
    if any(outcome.wrong for outcome in outcomes):
        sys.exit(1)


if __name__ == "__main__":
    main()

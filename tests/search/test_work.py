"""What a trial and a record cost, counted and not timed: the same on every machine, so that growth is seen.

The bounds are what was counted when they were written, rounded up a little. One that no longer holds says that
something has become dearer; raise it only when that is worth it.
"""

from __future__ import annotations

import argparse
import pickle
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
import timm
import torch
from safetensors.torch import save_file
from sqlalchemy import event
from sqlalchemy.engine import Engine
from torch.utils._python_dispatch import TorchDispatchMode

from search import Store
from search.execution.seat import Shared
from tests.conftest import small_dataset
from trainables.builder import from_params
from trainables.config import Fixed
from trainables.data.batches import Split
from trainables.material import Material, prepare
from trainables.settling import settle

pytestmark = pytest.mark.bench

RECIPE = {"strategy": "full", "strategy.full.lr": 1e-3, "batch_size": 16, "augmentation_strength": 0.5}
METRICS = 35
"""Of each record that `benchmarks/driver.py` makes, those that the project adds included."""
STEPS = 6
"""Of an epoch: 48 images twice in batches of 16."""
COPIES = {"copy_", "_to_copy", "clone", "cat", "stack", "index", "index_select", "contiguous"}
"""torch's operations that write what is there already to another place."""


class Counting(TorchDispatchMode):
    """Counts torch's operations and the bytes that they copy."""

    def __init__(self) -> None:
        super().__init__()
        self.operations, self.copied = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.operations += 1
        if func.overloadpacket.__name__ in COPIES:
            self.copied += out.numel() * out.element_size()
        return out


@pytest.fixture
def parts(tmp_path, monkeypatch) -> tuple[Fixed, Material, int]:
    """A study's constants and material, with pretrained weights of so many bytes."""
    monkeypatch.setenv("FINETUNE_SEARCH_CACHE", str(tmp_path / "cache"))
    weights = tmp_path / "weights.safetensors"
    torch.manual_seed(0)
    network = timm.create_model("test_resnet", num_classes=4, in_chans=1)
    save_file(network.state_dict(), weights)
    fixed = Fixed(
        model="test_resnet",
        pretrained=str(weights),
        precision="fp32",
        device="cpu",
        repeats=2,
        epochs=9,
    )
    material = prepare(small_dataset(), fixed)
    size = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    return settle(fixed, material), material, size


@contextmanager
def opened() -> Iterator[list[str]]:
    """The files that are opened inside."""
    names: list[str] = []
    inside = True

    def hook(name: str, given: Any) -> None:
        if inside and name == "open":
            names.append(str(given[0]))

    sys.addaudithook(hook)  # for the life of the process
    yield names
    inside = False


def test_a_second_trial_imports_nothing_opens_nothing_and_copies_its_weights_twice(parts):
    fixed, material, size = parts
    next(from_params(RECIPE, fixed, 0, material).epochs())
    modules = set(sys.modules)
    with opened() as files, Counting() as work:
        trainable = from_params(RECIPE, fixed, 1, material)
    assert trainable.epoch == 0
    assert set(sys.modules) - modules == set()
    assert files == []
    assert work.copied <= 2 * size  # into the network, and into the order that convolutions like
    assert work.operations <= 700


def test_an_epoch_copies_its_images_once_and_its_weights_where_it_must(parts):
    fixed, material, size = parts
    epochs = from_params(RECIPE, fixed, 0, material).epochs()
    first = next(epochs)
    modules = set(sys.modules)
    with Counting() as work:
        second = next(epochs)
    assert set(sys.modules) - modules == set()
    images = 4 * (2 * len(material.train) + len(material.val)) * 32 * 32  # as numbers of four bytes
    weights = 1 + (second.score > first.score)  # what one step is held against; and the best so far
    assert work.copied <= weights * size + 1.1 * images
    assert work.operations <= STEPS * 460


def test_data_and_weights_reach_a_worker_without_a_copy(parts):
    """What Ray puts into its store beside the arrays, and what it sends with each trial, is small."""
    fixed, material, _ = parts
    arrays: list[pickle.PickleBuffer] = []
    shared = Shared("trainables.builder:from_params", fixed, material, threads=1)
    beside = cloudpickle.dumps(shared, protocol=5, buffer_callback=arrays.append)
    assert sum(buffer.raw().nbytes for buffer in arrays) >= material.train.pixels.nbytes
    assert len(beside) <= 8_000
    mapped = cloudpickle.loads(beside, buffers=arrays).material
    split = Split(mapped.train, torch.device("cpu"))
    rows = torch.arange(4)
    assert torch.equal(split.take(rows)[1], torch.tensor(material.train.labels[:4]))
    shared_memory = [
        tensor
        for tensor in vars(split).values()
        if isinstance(tensor, torch.Tensor) and tensor.dtype == torch.uint8
    ]
    assert [tensor.data_ptr() for tensor in shared_memory] == [mapped.train.pixels.ctypes.data]


@contextmanager
def written() -> Iterator[Counter[tuple[str, str]]]:
    """(database, table) → rows written to it inside; (database, "transactions") → how many."""
    counts: Counter[tuple[str, str]] = Counter()

    def database(connection: Any) -> str:
        return Path(str(connection.engine.url.database)).name

    def execute(connection: Any, cursor: Any, statement: str, given: Any, context: Any, many: bool) -> None:
        words = statement.split()
        if words[0] in {"INSERT", "UPDATE"}:
            table = words[2] if words[0] == "INSERT" else words[1]
            counts[database(connection), table] += len(given) if many else 1

    def commit(connection: Any) -> None:
        counts[database(connection), "transactions"] += 1

    event.listen(Engine, "before_cursor_execute", execute)
    event.listen(Engine, "commit", commit)
    try:
        yield counts
    finally:
        event.remove(Engine, "before_cursor_execute", execute)
        event.remove(Engine, "commit", commit)


def written_by_a_study(records: int, folder: Path) -> Counter[tuple[str, str]]:
    """What a study of so many records writes."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    try:
        import _package

        driver = _package.script("driver")
    finally:
        sys.path.pop(0)
    given = argparse.Namespace(
        records=records,
        workers=4,
        searcher="random",
        scheduler="asha",
        space="finetune",
        profile=False,
        rate=None,
    )
    with written() as counts:
        driver.run(given, Store(folder / "mlruns"))
    return counts


def test_a_record_is_two_rows_in_the_ledger_and_one_a_metric_in_mlflow(tmp_path):
    more = written_by_a_study(120, tmp_path / "more")
    more.subtract(written_by_a_study(40, tmp_path / "fewer"))
    records, trials = 80, more["mlflow.db", "runs"]  # a run's row is written when it begins and when it ends
    assert more["optuna.db", "trial_intermediate_values"] == records
    assert records <= more["optuna.db", "trial_user_attributes"] <= records + 3 * trials
    ended = more["optuna.db", "trial_values"]
    begun = (more["optuna.db", "trials"] - ended) / 2  # a row that is inserted, and then given its number
    assert more["optuna.db", "transactions"] == records + begun + ended
    assert more["mlflow.db", "metrics"] == METRICS * records
    assert more["mlflow.db", "latest_metrics"] <= METRICS * records
    assert more["mlflow.db", "params"] == more["optuna.db", "trial_params"]
    assert more["mlflow.db", "transactions"] <= records + 5 * trials  # fewer the faster they come

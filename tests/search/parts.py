"""Data and trainables that studies of the tests name in their specs: real ones, small, some with faults."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.conftest import small_dataset
from trainables.builder import from_params
from trainables.data import Dataset
from trainables.protocol import Diverged, EpochRecord, State
from trainables.ranks import current_ranks
from trainables.seeds import derive_seed

LOG = "FINETUNE_SEARCH_TEST_LOG"


def log_file() -> Path:
    """Of the test that runs now: the name that Ray's processes know for as long as they live points to it."""
    return Path(os.path.realpath(os.environ[LOG]))


def quadrants(seed: int) -> Dataset:
    """48 images of four classes; what `data: tests.search.parts:quadrants` gives."""
    return small_dataset()


class Logged:
    """The real training, each epoch also written to a file: what was done twice stands there twice."""

    def __init__(self, params: Any, fixed: Any, seed: int, material: Any) -> None:
        self._inner = from_params(params, fixed, seed, material)
        self._seed = seed
        self._key = f"{seed} {sorted(params.items())}"

    def epochs(self) -> Iterator[EpochRecord]:
        for record in self._inner.epochs():
            with log_file().open("a") as log:
                log.write(f"{self._key} {record.epoch}\n")
            yield record

    def state_dict(self) -> State:
        return self._inner.state_dict()

    def load_state_dict(self, state: State) -> None:
        self._inner.load_state_dict(state)


class OneSided(Logged):
    """As `Logged`, but the second process of the study's second trial fails in the middle of what both do."""

    def epochs(self) -> Iterator[EpochRecord]:
        ranks = current_ranks()
        assert ranks.size == 2
        if ranks.number == 1 and self._seed == derive_seed(0, "trial", 1) % 2**31:
            raise ValueError("only the second process fails")
        yield from super().epochs()


class Placed(Logged):
    """As `Logged`, but what is written is who trained it: the process, and the trial's seed."""

    def __init__(self, params: Any, fixed: Any, seed: int, material: Any) -> None:
        super().__init__(params, fixed, seed, material)
        self._key = f"{os.getpid()} {seed}"


class Faulty(Logged):
    """As `Logged`, but with much dropout recipes break: above 0.4 they diverge, above 0.25 code fails."""

    def __init__(self, params: Any, fixed: Any, seed: int, material: Any) -> None:
        super().__init__(params, fixed, seed, material)
        self._dropout = params["dropout"]

    def epochs(self) -> Iterator[EpochRecord]:
        for record in super().epochs():
            if record.epoch == 2 and self._dropout > 0.4:
                raise Diverged("loss", 2, 1, float("nan"))
            if record.epoch == 2 and self._dropout > 0.25:
                raise RuntimeError("a bug in the user's own code")
            yield record


class Exploding(Logged):
    """As `Logged`, but recipes with much dropout are trained at a rate at which numbers end, without clipping."""

    def __init__(self, params: Any, fixed: Any, seed: int, material: Any) -> None:
        if params["dropout"] > 0.3:
            params = {**params, "strategy": "full", "strategy.full.lr": 1e30, "optimizer": "sgd"}
            fixed = fixed.model_copy(update={"clipping": "none", "warmup_epochs": 0.0})
        super().__init__(params, fixed, seed, material)


ODD = {
    **{f"lr/layer_{index}": 1e-3 * index for index in range(40)},
    "record/epoch": 7.0,  # as Ray would call a field of a nested result
    "a/b/c": 0.5,
    "odd/nan": float("nan"),
    "odd/inf": float("inf"),
    "odd/minus_inf": float("-inf"),
}
"""Metrics whose names and values are easily lost on the way to the ledger."""


class Ending(Logged):
    """As `Logged`, but its recipe ends itself after the third epoch, with a report, and it measures `ODD`."""

    def epochs(self) -> Iterator[EpochRecord]:
        for record in super().epochs():
            odd = replace(record, metrics={**record.metrics, **ODD})
            yield replace(odd, ended="enough", report={"f1": 0.25}) if record.epoch == 3 else odd


class Quitting(Logged):
    """As `Logged`, but it stops after its first epoch and does not say why."""

    def epochs(self) -> Iterator[EpochRecord]:
        yield next(super().epochs())


class Deadly(Logged):
    """As `Logged`, but once a trial its process is killed in the midst of the third epoch, as for memory."""

    after = 2.0
    """Seconds after the second epoch."""

    def epochs(self) -> Iterator[EpochRecord]:
        for record in super().epochs():
            yield record
            mark = log_file().with_name(f"died-{self._seed}")
            if record.epoch == 2 and not mark.exists():
                mark.touch()
                time.sleep(self.after)
                os.kill(os.getpid(), 9)


class DeadlyAtOnce(Deadly):
    """As `Deadly`, but at the very beginning of the third epoch: the second one's checkpoint is being written."""

    after = 0.0


class Troubled(Logged):
    """As `Logged`, but the first trials to come to their third epoch have each a trouble of their own."""

    troubles = ("hangs", "disk", "dies")
    """The process hangs, once; the disk is away, once; the process dies whenever that epoch is tried."""

    def epochs(self) -> Iterator[EpochRecord]:
        self._die()
        for record in super().epochs():
            yield record
            if record.epoch == 2:
                self._begin_trouble()

    @property
    def _mine(self) -> Path:
        return log_file().with_name(f"trouble-{self._seed}")

    def _begin_trouble(self) -> None:
        if self._mine.exists():
            return
        for trouble in self.troubles:
            with suppress(FileExistsError):
                self._mine.with_name(trouble).open("x").close()
                self._mine.write_text(trouble)
                break
        else:
            return
        if trouble == "hangs":
            time.sleep(1e6)
        if trouble == "disk":
            raise OSError(5, "Input/output error")
        time.sleep(1)  # by then the second epoch is on the disk
        self._die()

    def _die(self) -> None:
        if self._mine.exists() and self._mine.read_text() == "dies":
            os.kill(os.getpid(), 9)


class Broken(Logged):
    """As `Logged`, but its code is wrong in the first epoch."""

    def epochs(self) -> Iterator[EpochRecord]:
        raise RuntimeError(f"no column 'label' in part {self._seed}")
        yield  # a generator all the same

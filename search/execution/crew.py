"""The processes of one trial: this one, and an actor for each of the others."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from contextlib import suppress
from functools import partial
from typing import Any

import ray
import torch
from ray.exceptions import RayError
from ray.util.placement_group import get_current_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from search.execution.deaths import Deaths
from search.execution.prestart import environment
from search.execution.seat import Seat, Shared
from search.execution.thread import Thread
from search.execution.worker import Worker
from trainables.memory import remember
from trainables.ranks.group import Group, abort, join, lead, leave

Told = dict[str, Any]
"""What a process tells of an epoch; see `Seat.step`."""
ALONE = 5.0
"""Seconds for which the others go on after one of them has failed; those that fail alike have done so by then."""
LOOK = 0.2
"""Seconds between two looks at those that are at work."""


class Rank:
    """Any but the first process of a trial. It does what the first one does, and writes nothing.

    Args:
        shared: One reference, to what all trials have in common.
        number: Of this process, from 1.
    """

    def __init__(self, shared: Sequence[ray.ObjectRef[Shared]], number: int) -> None:
        self._shared = ray.get(shared[0])
        self._number = number
        self._seat = Seat(self._shared, time.time())

    def ready(self) -> None:
        """It has started."""

    def join(self, host: str, port: int) -> None:
        """Meet the others. See `trainables.ranks.group.join`."""
        shared = self._shared
        self._seat.ranks = join(host, port, self._number, shared.processes, _kind(shared))

    def begin(self, config: dict[str, Any]) -> None:
        """See `search.execution.seat.Seat.begin`."""
        self._seat.begin(config)

    def step(self) -> dict[str, Any]:
        """See `search.execution.seat.Seat.step`."""
        return self._seat.step()


def _kind(shared: Shared) -> Callable[[], Group]:
    """How processes that have met are a trial's."""
    device = torch.device(shared.fixed.device)
    if not shared.sharded:
        return partial(Group, device)
    from trainables.ranks.sharded import Sharded  # takes seconds to import

    return partial(Sharded, device)


class Crew:
    """A seat of several processes; see `search.execution.seat.Seat`.

    All are told the same in the same order, so all train the same epochs. Where one fails and the others wait for it,
    they are ended: there is no way to make a process stop waiting that is in the middle of a sum over all.

    Args:
        shared: One reference, to what all trials have in common.
        asked: When there was a first trial for it, seconds since 1970.
    """

    def __init__(self, shared: Sequence[ray.ObjectRef[Shared]], asked: float) -> None:
        self._reference, self._shared = shared, ray.get(shared[0])
        self._deaths = Deaths()
        self._others: list[Any] = []
        self._hire()
        self._seat = Seat(self._shared, asked)
        self._own = Thread("crew", lambda: None)
        self._met = self._begun = False

    def begin(self, config: dict[str, Any]) -> None:
        """Take the next trial; see `Seat.begin`."""
        self._trial, self._begun = config, False

    def step(self) -> Told:
        """See `Seat.step`. Where memory has run out, all begin anew with smaller micro-batches."""
        while True:
            try:
                if not self._begun:
                    self._start()
                told = self._step()
            except RayError as error:
                self._dissolve()
                told = {**self._dead(error), "seconds": "{}"}
            if "smaller" in told:
                remember(told["smaller"])
                self._begun = False
                continue
            if "record" in told:
                self._trial = {**self._trial, "known": json.loads(told["record"])["epoch"]}
            return told

    def _start(self) -> None:
        self._seat.rest()
        if not self._met:
            self._meet()
        ray.get([other.begin.remote(self._trial) for other in self._others])
        self._seat.begin(self._trial)
        self._begun = True

    def _hire(self) -> None:
        """Start the others, each in its own part of what Ray has set aside for a trial."""
        maker: Any = ray.remote(Rank)
        for number in range(1, self._shared.processes):
            place = PlacementGroupSchedulingStrategy(
                get_current_placement_group(), placement_group_bundle_index=number
            )
            options = maker.options(
                num_cpus=self._shared.threads,
                num_gpus=int(self._shared.fixed.device == "cuda"),
                scheduling_strategy=place,
                runtime_env={"env_vars": environment()},
            )
            self._others.append(options.remote(self._reference, number))

    def _meet(self) -> None:
        if not self._others:
            self._hire()
        leave()
        ray.get([other.ready.remote() for other in self._others])
        host = ray.util.get_node_ip_address()
        joined: list[Any] = []

        def invite(port: int) -> None:
            joined.extend(other.join.remote(host, port) for other in self._others)

        shared = self._shared
        self._seat.ranks = lead(host, shared.processes, invite, _kind(shared))
        ray.get(joined)
        self._met = True

    def _step(self) -> Told:
        """What all of them tell: a record if each has it, else what went wrong first."""
        waiting = [other.step.remote() for other in self._others]
        own = self._own.run(self._seat.step)
        came: list[Told] = []
        failed: float | None = None
        told: Told | None = None
        while waiting or told is None:
            if waiting:
                ready, waiting = ray.wait(waiting, timeout=LOOK)
                came += [self._answer(one) for one in ready]
            else:
                wait([own], timeout=LOOK)
            if told is None and own.done():
                told = own.result()
                came.append(told)
            if failed is None and any("record" not in one for one in came):
                failed = time.monotonic()
            if failed is not None and time.monotonic() > failed + ALONE:
                self._dissolve()
        wrong = [one for one in came if "record" not in one]
        return {**wrong[0], "seconds": told["seconds"]} if wrong else told

    def _answer(self, asked: Any) -> Told:
        try:
            told: Told = ray.get(asked)
        except RayError as error:
            self._dissolve()  # nobody meets a dead one again
            return self._dead(error)
        return told

    def _dead(self, error: RayError) -> Told:
        reason = f"of the {self._shared.processes} processes of this trial one is gone: {self._deaths.reason(error)}"
        return {"failure": reason, "diverged": False, "again": True}

    def _dissolve(self) -> None:
        for other in self._others:
            with suppress(RayError):
                ray.kill(other)
        self._others, self._met = [], False
        abort()


class Leader(Worker):
    """The first process of each trial that Ray gives it."""

    def setup(
        self, config: dict[str, Any], shared: Sequence[ray.ObjectRef[Shared]] | Shared | None = None
    ) -> None:
        """Ray's call at the start of a process; see `Worker`.

        Args:
            config: The first trial.
            shared: One reference, to what all trials have in common: the other processes need it too.
        """
        assert isinstance(shared, Sequence)
        self.seat = Crew(shared, config["asked"])
        self._first = config

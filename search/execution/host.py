"""The process in which several trials train together, and a guest's way to it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import ray
from ray.actor import ActorHandle

from search.execution.prestart import environment
from search.execution.seat import Seat, Shared
from trainables.cohort import Cohort

ROUND_TRIPS = 4
"""Calls of one guest that may be under way at once; none of its own waits for another one's."""


class Host:
    """Seats of one cohort. Ray calls it from several threads.

    Args:
        seats: For how many guests there is room.
    """

    def __init__(self, seats: int) -> None:
        self._room = seats
        self._shared: Shared | None = None
        self._cohort = Cohort()
        self._seats: dict[str, Seat] = {}
        self._trials: dict[str, Any] = {}
        self._lock = threading.Lock()

    def enter(self, shared: Sequence[ray.ObjectRef[Shared]], *, anyway: bool) -> str | None:
        """A seat's name, which no seat of this host or of its successor has again, or none where all are taken.

        Args:
            shared: One reference, to what all trials have in common. A guest brings it, and not who starts the host:
                Ray would have to keep it for one that starts anew.
            anyway: Also where all are taken: by guests that died and could not say so.
        """
        with self._lock:
            if len(self._seats) >= self._room and not anyway:
                return None
            if self._shared is None:
                self._shared = ray.get(shared[0])
            name = uuid4().hex
            self._seats[name] = Seat(self._shared, time.time(), self._cohort)
            return name

    def cards(self) -> str | None:
        """The GPUs that Ray gave it, as ``CUDA_VISIBLE_DEVICES`` says them."""
        return os.environ.get("CUDA_VISIBLE_DEVICES")

    def begin(self, seat: str, config: dict[str, Any]) -> None:
        """The guest on a seat has its next trial. If it had it before and died, its old seat is free again."""
        with self._lock:
            self._trials[seat] = trial_of(config)
        self.drop(trial_of(config), but=seat)
        self._seats[seat].begin(config)

    def step(self, seat: str) -> dict[str, Any]:
        """See `search.execution.seat.Seat.step`. The process goes with a GPU that is broken for it."""
        told = self._seats[seat].step()
        if told.get("broken"):
            os._exit(1)
        return told

    def leave(self, seat: str) -> None:
        """The guest has gone."""
        with self._lock:
            left = self._seats.pop(seat, None)
            self._trials.pop(seat, None)
        if left is not None:
            left.leave()

    def drop(self, trial: tuple[str, str, int], but: str = "") -> None:
        """Free the seats of a trial whose guest died.

        Args:
            trial: (study, phase, number).
            but: This one keeps its seat.
        """
        with self._lock:
            left = [seat for seat, its in self._trials.items() if its == trial and seat != but]
        for seat in left:
            self.leave(seat)


def trial_of(config: dict[str, Any]) -> tuple[str, str, int]:
    """(Study, phase, number)."""
    return config["study"], config["phase"], config["number"]


@contextmanager
def hosts(number: int, seats: int, gpus: int) -> Iterator[list[ActorHandle[Host]]]:
    """So many hosts, gone afterwards. One that dies is started anew, its seats free.

    Args:
        number: How many.
        seats: Of each.
        gpus: Of each.
    """
    started: list[ActorHandle[Host]] = []
    maker: Any = ray.remote(Host)
    try:
        for _ in range(number):
            one = maker.options(
                num_cpus=0,  # its guests count for the cores
                num_gpus=gpus,
                max_restarts=-1,
                max_concurrency=ROUND_TRIPS * seats,
                runtime_env={"env_vars": environment()},
            )
            started.append(one.remote(seats))
        yield started
    finally:
        for host in started:
            ray.kill(host)


def enter(
    at: Sequence[ActorHandle[Host]], shared: Sequence[ray.ObjectRef[Shared]]
) -> tuple[ActorHandle[Host], str]:
    """A seat at the first host that has one. For the arguments see `Host.enter`.

    Raises:
        ray.exceptions.RayError: A host died meanwhile.
    """

    def ask(host: Any, anyway: bool) -> str | None:
        # One that starts anew after its death is waited for.
        asked = host.enter.options(max_task_retries=-1).remote(shared, anyway=anyway)
        seat: str | None = ray.get(asked)
        return seat

    for host in at:
        seat = ask(host, anyway=False)
        if seat is not None:
            return host, seat
    seat = ask(at[0], anyway=True)
    assert seat is not None
    return at[0], seat

"""The actor of a trial that trains in another process, among others."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import ray
import ray.tune
from ray.actor import ActorHandle
from ray.exceptions import GetTimeoutError, RayError

from search.execution.host import Host, enter, trial_of
from search.execution.seat import Seat, Shared
from search.execution.watch import Watch

PATIENCE = 60
"""Seconds for which a host that perhaps is dead is waited for."""


class Guest(ray.tune.Trainable):
    """Runs the trials that Ray gives it, one after the other, on a seat at a host.

    Where the host dies, each of its guests goes on with its trial in its own process, from the trial's checkpoint:
    so the one at fault falls alone, and nobody else's trial counts a death. With the next trial it is at a host again.
    """

    def setup(
        self,
        config: dict[str, Any],
        hosts: Sequence[ActorHandle[Host]] = (),
        shared: Sequence[ray.ObjectRef[Shared]] = (),
        silence: float | None = None,
    ) -> None:
        """Ray's call at the start of a process. As for `search.execution.worker.Worker` the trial is begun later.

        Args:
            config: The first trial.
            hosts: Where there are seats.
            shared: One reference, to what all trials have in common; fetched only where it is needed.
            silence: Seconds without a record after which a trial is taken to hang; none finds them out.
        """
        self._hosts, self._shared = hosts, shared
        self._watch = Watch(silence)
        self._at: tuple[ActorHandle[Host], str] | None = None
        self._cards: str | None = None
        self._first: dict[str, Any] | None = config

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Ray's call when this process is given its next trial."""
        self._first = None
        self._begin(new_config)
        return True

    def _begin_anew(self, config: dict[str, Any]) -> None:
        """The first trial of this process."""
        with suppress(RayError):  # of this trial's guest before this one, if that died
            ray.get([host.drop.remote(trial_of(config)) for host in self._hosts], timeout=PATIENCE)
        self._begin(config)

    def _begin(self, config: dict[str, Any]) -> None:
        self._trial = config
        self._own: Seat | None = None
        try:
            self._at = self._at or self._enter()
            host, seat = self._at
            ray.get(host.begin.remote(seat, config))
        except RayError:
            self._train_alone()

    def _enter(self) -> tuple[ActorHandle[Host], str]:
        at = enter(self._hosts, self._shared)
        self._cards = ray.get(at[0].cards.remote())
        return at

    def step(self) -> dict[str, Any]:
        """See `search.execution.seat.Seat.step`."""
        if self._first is not None:
            self._begin_anew(self._first)
            self._first = None
        if self._own is None:
            assert self._at is not None
            host, seat = self._at
            try:
                told: dict[str, Any] = ray.get(host.step.remote(seat), timeout=self._patience())
            except GetTimeoutError:  # whoever hangs there keeps all others waiting
                with suppress(RayError):
                    ray.kill(host, no_restart=False)
                self._train_alone()
            except RayError:
                self._train_alone()
            else:
                self._watch.heard(self)
                return self._noted(told)
        assert self._own is not None
        return self._noted(self._own.step())

    def _patience(self) -> float:
        """Seconds; less than the driver's, so that this trial does not fall for another one."""
        self._watch.begin(self)
        return self._watch.limit(self) / 2

    def _noted(self, told: dict[str, Any]) -> dict[str, Any]:
        """Whoever goes on with the trial need not tell it again."""
        if "record" in told:
            self._trial = {**self._trial, "known": json.loads(told["record"])["epoch"]}
        return told

    def _train_alone(self) -> None:
        if self._at is not None:
            host, seat = self._at
            with suppress(RayError):  # it may be alive, and the fault another
                ray.get(host.leave.remote(seat), timeout=PATIENCE)
        self._at = None
        if self._cards is not None:  # Ray gave this process none
            os.environ["CUDA_VISIBLE_DEVICES"] = self._cards
        self._own = Seat(ray.get(self._shared[0]), time.time())
        self._own.begin(self._trial)

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: Ray never asks, and its checkpoints are not used."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing, likewise."""

    def cleanup(self) -> None:
        """Give the seat back."""
        if self._at is not None:
            host, seat = self._at
            host.leave.remote(seat)

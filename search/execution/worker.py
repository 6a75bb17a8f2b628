"""The actor that trains: one process for many trials, data and weights shared without a copy."""

from __future__ import annotations

from typing import Any, Protocol

import ray.tune

from search.execution.seat import Seat, Shared


class Takes(Protocol):
    """Takes one trial after the other. See `search.execution.seat.Seat`."""

    def begin(self, config: dict[str, Any]) -> None:
        """Take the next trial."""

    def step(self) -> dict[str, Any]:
        """The next record."""
        ...


class Worker(ray.tune.Trainable):
    """Runs the trials that Ray gives it, one after the other, in a process of its own."""

    def setup(self, config: dict[str, Any], shared: Shared | None = None) -> None:
        """Ray's call at the start of a process.

        The trial that it was started for may by now be at another one: it is begun once Ray asks for a record.
        """
        assert shared is not None
        self.seat: Takes = Seat(shared, config["asked"])
        self._first: dict[str, Any] | None = config

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Ray's call when this process is given its next trial."""
        self._first = None
        self.seat.begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """The next record that the ledger does not have, or why there is none, and what the time went into."""
        if self._first is not None:
            self.seat.begin(self._first)
            self._first = None
        return self.seat.step()

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: Ray never asks, and its checkpoints are not used."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing, likewise."""

    def cleanup(self) -> None:
        """Nothing: the process ends, and an epoch that it is in the middle of with it."""

"""Who is told of what happens to trials."""

from __future__ import annotations

from optuna.trial import FrozenTrial

from trainables.protocol import EpochRecord


class Listener:
    """Told of everything that happens to trials, after the ledger has it. By itself it does nothing about it."""

    def on_start(self, phase: str, trial: FrozenTrial, resumed_at: int) -> None:
        """A trial begins, or goes on after `resumed_at` epochs."""

    def on_record(self, phase: str, number: int, record: EpochRecord, time_ms: int) -> None:
        """An epoch is recorded."""

    def on_pause(self, phase: str, number: int) -> None:
        """A trial gives its worker back. It may go on later (`on_start`), or be told its end."""

    def on_fault(self, phase: str, number: int, reason: str) -> None:
        """A trial broke off, and will be tried again (`on_start`)."""

    def on_end(self, phase: str, trial: FrozenTrial) -> None:
        """A trial has its final state."""

    def on_closing(self, phase: str, reason: str) -> None:
        """No new trial begins from now on, or hardly any, and why. Told once, by the driver that sees it so."""

    def on_shortage(self, phase: str, sentence: str) -> None:
        """What follows may take longer than the time leaves. Told once, by the driver that sees it so."""


class Listeners(Listener):
    """Several as one, told in their order."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def on_start(self, phase: str, trial: FrozenTrial, resumed_at: int) -> None:
        """To each."""
        for one in self._listeners:
            one.on_start(phase, trial, resumed_at)

    def on_record(self, phase: str, number: int, record: EpochRecord, time_ms: int) -> None:
        """To each."""
        for one in self._listeners:
            one.on_record(phase, number, record, time_ms)

    def on_pause(self, phase: str, number: int) -> None:
        """To each."""
        for one in self._listeners:
            one.on_pause(phase, number)

    def on_fault(self, phase: str, number: int, reason: str) -> None:
        """To each."""
        for one in self._listeners:
            one.on_fault(phase, number, reason)

    def on_end(self, phase: str, trial: FrozenTrial) -> None:
        """To each."""
        for one in self._listeners:
            one.on_end(phase, trial)

    def on_closing(self, phase: str, reason: str) -> None:
        """To each."""
        for one in self._listeners:
            one.on_closing(phase, reason)

    def on_shortage(self, phase: str, sentence: str) -> None:
        """To each."""
        for one in self._listeners:
            one.on_shortage(phase, sentence)

"""Why a trial's process is gone, in words that a person can act on."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ray.exceptions import OutOfMemoryError, RayTaskError

_EVENTS = ("/proc/vmstat", "/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
MEMORY = "the machine's memory ran out and its process was killed: fewer `workers` or a smaller `batch_size` need less"
KILLED = "its process died: it was killed, or a library in it crashed"
NODE = "the machine that it ran on is gone"


RECENT = 10.0
"""Seconds within which a kill for want of memory explains a death."""


class Deaths:
    """Tells one death from another. The kernel counts the processes that it kills for want of memory."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kills, self._looked = kills(), clock()

    def look(self) -> None:
        """To be called often: what the kernel killed a while ago was another's process."""
        if self._clock() - self._looked > RECENT:
            self._kills, self._looked = kills(), self._clock()

    def reason(self, error: BaseException | None) -> str:
        """Why a process is gone.

        Args:
            error: What Ray says of it.
        """
        before, self._kills = self._kills, kills()
        text = str(error)
        if isinstance(error, OutOfMemoryError) or "memory monitor" in text or self._kills > before:
            return MEMORY
        if isinstance(error, RayTaskError):
            cause = error.cause if error.cause is not None else error
            return f"its process could not run it: {type(cause).__name__}: {str(cause).partition(chr(10))[0]}"
        if "creation task" in text:
            return f"its process could not be started: {text.strip().splitlines()[-1]}"
        if "node has died" in text:
            return NODE
        return KILLED


def kills() -> int:
    """How many processes the kernel has killed for want of memory; 0 where it does not say."""
    count = 0
    for path in _EVENTS:
        with suppress(OSError, ValueError):
            for line in Path(path).read_text().splitlines():
                name, _, value = line.partition(" ")
                if name == "oom_kill":
                    count += int(value)
    return count

"""A thread that does one thing after the other, and does not keep its process from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Thread:
    """Runs what it is given, in order. Unlike those of an executor it is not waited for when the process ends.

    Args:
        name: Its name.
        begin: What it does first, if anything.
    """

    def __init__(self, name: str, begin: Callable[[], None] = lambda: None) -> None:
        self._queue: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._thread = threading.Thread(target=self._loop, args=(begin,), name=name, daemon=True)
        self._thread.start()

    def run(self, work: Callable[[], T]) -> Future[T]:
        """What `work` will give, or raise."""
        future: Future[T] = Future()
        self._queue.put((future, work))
        return future

    def _loop(self, begin: Callable[[], None]) -> None:
        fault: BaseException | None = None
        try:
            begin()
        except BaseException as error:  # told to whoever waits, who would wait for ever
            fault = error
        while True:
            future, work = self._queue.get()
            try:
                if fault is not None:
                    raise fault
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
            del future, work  # else the last one's memory stays until the next

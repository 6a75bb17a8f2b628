"""Many small pieces of work by threads of all cores: decoding and hashing let go of Python's lock."""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeAlias, TypeVar

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (done, of how many)."""

Result = TypeVar("Result")

CHUNK = 16
"""Pieces that a thread does between two reports."""


def in_parallel(work: Callable[[int], Result], total: int, progress: Progress | None) -> list[Result]:
    """``[work(0), …, work(total - 1)]`` by threads of all cores, a few chunks ahead of who gathers."""

    def chunk(numbers: range) -> list[Result]:
        return [work(number) for number in numbers]

    found: list[Result] = []
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with warnings.catch_warnings(), ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        warnings.simplefilter(
            "ignore"
        )  # Pillow's, about odd EXIF and large pictures: the outcome is what counts
        waiting: deque[Future[list[Result]]] = deque()
        chunks = iter([range(start, min(start + CHUNK, total)) for start in range(0, total, CHUNK)])
        try:
            while True:
                while len(waiting) < 4 * workers and (numbers := next(chunks, None)) is not None:
                    waiting.append(pool.submit(chunk, numbers))
                if not waiting:
                    return found
                found += waiting.popleft().result()
                if progress is not None:
                    progress(len(found), total)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)  # files are closed next: nobody may write any more
            raise

"""Processes that do the same at the same time, this one the first of them."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import torch

from spaces import InputError
from trainables.ranks import as_one_of
from trainables.ranks.group import Group, join, lead, leave

CPU = torch.device("cpu")


def _as_rank(port, number, size, kind, function, arguments):
    torch.set_num_threads(1)
    try:
        with as_one_of(join("127.0.0.1", port, number, size, CPU, kind)):
            return function(*arguments)
    finally:
        leave()


class Together:
    """Calls functions in several processes at once."""

    def __init__(self, others: list[ProcessPoolExecutor], kind: type[Group]) -> None:
        self._others, self._kind = others, kind

    def __call__(self, function, *arguments):
        """What each process gets from `function`, a list by number."""
        size = 1 + len(self._others)
        asked = []

        def invite(port):
            for number, other in enumerate(self._others, start=1):
                asked.append(other.submit(_as_rank, port, number, size, self._kind, function, arguments))

        try:
            with as_one_of(lead("127.0.0.1", size, CPU, invite, self._kind)):
                own = function(*arguments)
        finally:
            leave()
        return [own, *(one.result(timeout=120) for one in asked)]


@contextmanager
def together(size: int, kind: type[Group] = Group) -> Iterator[Together]:
    spawn = multiprocessing.get_context("spawn")
    others = [ProcessPoolExecutor(1, mp_context=spawn) for _ in range(size - 1)]
    try:
        yield Together(others, kind)
    finally:
        for other in others:
            other.shutdown(wait=False, cancel_futures=True)


def refused(make, *arguments):
    """What `make` says against its arguments; nothing where it takes them."""
    try:
        make(*arguments)
    except InputError as error:
        return str(error)
    return ""

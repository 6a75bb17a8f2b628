"""Checkpoints of trials on machines that do not see the driver's disk: they travel through Ray."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.places import Folder, Place, place_at
from search.places.disk import Disk

if TYPE_CHECKING:
    from ray.actor import ActorHandle

    from trainables.packing import Packed
    from trainables.protocol import State

SIGN = "driver"
"""The file by which a machine sees that its disk is the driver's."""
AT_ONCE = 4
"""Files that are written at once."""


class Keeper:
    """Reads and writes on the driver's machine.

    Args:
        root: The only folder in which it does.
    """

    def __init__(self, root: str) -> None:
        self._root = Disk(root).path.resolve()

    def put(self, folder: str, name: str, data: bytes) -> None:
        """Write a file. For errors see `search.places.place.Folder.save`."""
        self._at(folder, name).put(name, data)

    def get(self, folder: str, name: str) -> bytes | None:
        """What is in a file, or none. For errors see `search.places.place.Folder.load`."""
        return self._at(folder, name).get(name)

    def _at(self, folder: str, name: str) -> Disk:
        path = (Disk(folder).path / name).resolve()
        if not path.is_relative_to(self._root):
            raise PermissionError(f"checkpoints must be in {self._root}, but {path} is not")
        return Disk(path.parent)


class Kept:
    """A folder that only the driver's machine sees. See `search.places.place.Folder`.

    Args:
        keeper: Its way there.
        address: The folder's path on the driver's machine.
    """

    def __init__(self, keeper: ActorHandle[Keeper], address: str) -> None:
        self._keeper: Any = keeper
        self._address = address

    @property
    def address(self) -> str:
        """Its path there."""
        return self._address

    def save(self, name: str, state: State | Packed) -> None:
        """Written on the driver's machine before this returns."""
        from trainables import checkpoint

        with _as_os_error():
            ray.get(self._keeper.put.remote(self._address, name, checkpoint.to_bytes(state)))

    def load(self, name: str) -> State | None:
        """A state, or none."""
        from trainables import checkpoint

        with _as_os_error():
            data: bytes | None = ray.get(self._keeper.get.remote(self._address, name))
        return None if data is None else checkpoint.load(data)


@contextmanager
def _as_os_error() -> Iterator[None]:
    try:
        yield
    except RayTaskError as error:
        if isinstance(error.cause, OSError):
            raise error.cause from None
        raise
    except RayError as error:
        raise OSError(f"the driver's machine does not answer: {error}") from error


class Reach:
    """A trial's way to its checkpoints, from whichever machine it is on.

    Args:
        keeper: For machines with other disks.
        sign: Path of a file that those with the driver's disk see.
        word: What is in it.
    """

    def __init__(self, keeper: ActorHandle[Keeper], sign: str, word: str) -> None:
        self._keeper, self._sign, self._word = keeper, sign, word

    def __call__(self, address: str) -> Folder:
        """The place at an address."""
        folder, _, name = self._sign.rpartition("/")
        with suppress(OSError):  # a folder that may not be entered here
            if Disk(folder).get(name) == self._word.encode() and os.access(folder, os.W_OK):
                return Disk(address)
        return Kept(self._keeper, address)


@contextmanager
def reach(place: Place, *, may_grow: bool) -> Iterator[Any]:
    """From the address of a trial's checkpoints to the place, for trials of this driver while it lives.

    Args:
        place: Where all of them are.
        may_grow: Whether there may be other machines than the driver's.
    """
    if not may_grow or not isinstance(place, Disk):
        yield place_at
        return
    maker: Any = ray.remote(Keeper)
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    keeper = maker.options(
        num_cpus=0,
        max_concurrency=AT_ONCE,
        max_restarts=-1,
        max_task_retries=-1,  # a file that is written twice is the same file
        scheduling_strategy=here,
    ).remote(place.address)
    word = uuid4().hex
    with suppress(OSError):  # without it all goes by the keeper, which says what is wrong with the disk
        place.put(SIGN, word.encode())
    try:
        yield Reach(keeper, f"{place.address}/{SIGN}", word)
    finally:
        ray.kill(keeper)
        with suppress(OSError):
            place.remove(SIGN)

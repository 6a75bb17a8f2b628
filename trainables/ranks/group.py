"""Processes that are connected by `torch.distributed`: gloo between processors, NCCL between GPUs."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta

import psutil
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import TCPStore, distributed_c10d  # type: ignore[attr-defined]

from trainables.data.batches import Split
from trainables.ranks.holding import ENTIRE, Holding
from trainables.ranks.norms import OverRanks
from trainables.ranks.ranks import Smaller

_set_timeout = (
    getattr(dist, "set_timeout", None) or distributed_c10d._set_pg_timeout
)  # its name before torch 2.15

BUCKET = 2**25
"""Bytes of gradients that are sent at once, as torch's own `DistributedDataParallel` does."""
MEETING = timedelta(minutes=2)
"""For which those that have started wait for each other."""
FOREVER = timedelta(days=7)
"""A process that is waited for may be computing; who notices that one is silent is the study's driver."""
SAME = 1e-6
"""Relative; sums of the same weights are the same but for the kind of processor that adds them up."""


class Group:
    """The processes of torch's default group, this one among them. See `trainables.ranks.ranks.Ranks`.

    Each holds all weights, and computes the gradients of its part of a batch; the sums are what each steps by. The
    gradient of a batch is then that of one process, up to the order of sums, but for what is drawn at random: each
    process draws the augmentation, the mixing and the dropout of its own images.

    Gradients are summed after a batch's last pass and not during it, as `DistributedDataParallel` does: that sees only
    what goes through its own ``forward``, and here the penalties on features go through the network's.

    Args:
        device: Where this process trains.

    Attributes:
        broken: Set before `abort`.
    """

    def __init__(self, device: torch.device) -> None:
        self.number, self.size = dist.get_rank(), dist.get_world_size()
        self.holding: Holding = ENTIRE
        self._device = device
        self.broken = False

    def words(self) -> tuple[object, ...]:
        """See `Ranks`."""
        return ("rank", self.number) if self.number else ()

    def share(self, rows: Tensor) -> Tensor:
        """See `Ranks`: parts differ by one row at most."""
        return rows.tensor_split(self.size)[self.number]

    def cut(self, own: Tensor, images: int, micro: int) -> Sequence[Tensor]:
        """See `Ranks`. Whoever made one more would wait for the others in it; none is empty."""
        largest, smallest = -(-images // self.size), images // self.size
        return own.tensor_split(max(1, min(-(-largest // micro), smallest)))

    def norms(
        self, context: Callable[[], AbstractContextManager[None]]
    ) -> Callable[[], AbstractContextManager[None]]:
        """See `Ranks`."""

        @contextmanager
        def both() -> Iterator[None]:
            with context(), OverRanks(self.number, self.size):
                yield

        return both

    @torch.no_grad()
    def reduce(self, parameters: Sequence[nn.Parameter]) -> None:
        """See `Ranks`. What a pass did not come by counts as nothing: others may have come by."""
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        for gradients in _buckets([parameter.grad for parameter in parameters if parameter.grad is not None]):
            flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
            dist.all_reduce(flat)
            pieces = flat.split([gradient.numel() for gradient in gradients])
            torch._foreach_copy_(
                gradients,
                [piece.view(gradient.shape) for piece, gradient in zip(pieces, gradients, strict=True)],
            )

    def sum(self, figures: Tensor) -> Tensor:
        """See `Ranks`."""
        whole = figures.clone()
        dist.all_reduce(whole)
        self._must_be_whole()
        return whole

    def least(self, number: int) -> int:
        """See `Ranks`."""
        found = torch.tensor(number, device=self._device)
        dist.all_reduce(found, dist.ReduceOp.MIN)
        return int(found)

    def spread(self, predict: Callable[[Split], Tensor], split: Split) -> Tensor:
        """See `Ranks`. Parts are equally long, so that all make as many passes: the last ones overlap."""
        rows = len(split)
        length = -(-rows // self.size)
        starts = [min(number * length, rows - length) for number in range(self.size)]
        own = predict(split.part(starts[self.number], length)).contiguous()
        parts = [torch.empty_like(own) for _ in starts]
        dist.all_gather(parts, own)
        self._must_be_whole()
        whole = own.new_empty((rows, *own.shape[1:]))
        for start, part in zip(starts, parts, strict=True):
            whole[start : start + length] = part
        return whole

    def agreed(self, found: Tensor) -> Tensor:
        """See `Ranks`."""
        same = found.contiguous()
        dist.broadcast(same, 0)
        self._must_be_whole()
        return same

    def _must_be_whole(self) -> None:
        """What came of a sum that was broken off is nobody's figure."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        if self.broken:
            raise RuntimeError("NCCL error: a sum over the processes of a trial was broken off")

    @torch.no_grad()
    def check(self, parameters: Sequence[nn.Parameter]) -> None:
        """See `Ranks`: by the sum of their sizes.

        Raises:
            RuntimeError: They are not the same.
        """
        own = sum(
            (parameter.abs().sum(dtype=torch.float64) for parameter in parameters),
            torch.zeros((), dtype=torch.float64, device=self._device),
        )
        bounds = torch.stack((own, -own))
        dist.all_reduce(bounds, dist.ReduceOp.MAX)
        most, least = bounds[0], -bounds[1]
        if bool(most - least > SAME * most):
            raise RuntimeError(
                "the processes of a trial must have the same weights after each epoch, but their sums differ: "
                f"{float(least):.9g} to {float(most):.9g}"
            )

    def begin_anew(self, micro: dict[tuple[object, ...], int]) -> None:
        """See `Ranks`. The others are in the middle of a pass that needs this one.

        Raises:
            Smaller: Always.
        """
        raise Smaller(micro)


def _buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Gradients of one type each, about `BUCKET` bytes at a time."""
    for dtype in dict.fromkeys(gradient.dtype for gradient in gradients):
        bucket: list[Tensor] = []
        for gradient in gradients:
            if gradient.dtype != dtype:
                continue
            bucket.append(gradient)
            if sum(one.nbytes for one in bucket) >= BUCKET:
                yield bucket
                bucket = []
        if bucket:
            yield bucket


def join(
    host: str, port: int, number: int, size: int, device: torch.device, kind: type[Group] = Group
) -> Group:
    """Make this process one of those that train a trial; waits for all of them.

    Args:
        host: The first one's machine.
        port: What it has invited to; see `lead`.
        number: Of this process, from 1.
        size: How many there are.
        device: Where this process trains.
        kind: What they are once they have met: `Group`, or `trainables.ranks.sharded.Sharded`.
    """
    return _enter(TCPStore(host, port, is_master=False, timeout=MEETING), host, number, size, device, kind)


def lead(
    host: str, size: int, device: torch.device, invite: Callable[[int], None], kind: type[Group] = Group
) -> Group:
    """The same for the first process.

    Args:
        host: This machine's address, as the others reach it.
        size: How many there are.
        device: See `join`.
        invite: Has the others `join` at a port.
        kind: See `join`.
    """
    store = TCPStore(host, 0, is_master=True, wait_for_workers=False, timeout=MEETING)
    invite(store.port)
    return _enter(store, host, 0, size, device, kind)


def _enter(
    store: TCPStore, host: str, number: int, size: int, device: torch.device, kind: type[Group]
) -> Group:
    backend = "nccl" if device.type == "cuda" else "gloo"
    with _interface_towards(host):
        dist.init_process_group(backend, store=store, rank=number, world_size=size, timeout=MEETING)
    group = kind(device)
    group.least(0)  # NCCL's processes meet at the first sum
    _set_timeout(FOREVER)
    return group


@contextmanager
def _interface_towards(host: str) -> Iterator[None]:
    """The network over which `host` is reached: gloo would take what this machine's name stands for, itself perhaps."""
    named = "GLOO_SOCKET_IFNAME"
    if named in os.environ:
        yield
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect((host, 9))  # sends nothing
        address = probe.getsockname()[0]
        for name, addresses in psutil.net_if_addrs().items():
            if any(one.address == address for one in addresses):
                os.environ[named] = name
    try:
        yield
    finally:
        os.environ.pop(named, None)


def leave() -> None:
    """This process no longer is one of several."""
    if dist.is_initialized():
        dist.destroy_process_group()


def abort() -> None:
    """Let this process no longer wait for others that are gone. gloo finds that out by itself."""
    if dist.is_initialized() and dist.get_backend() == "nccl":
        distributed_c10d._abort_process_group()

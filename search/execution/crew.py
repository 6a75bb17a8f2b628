"""The processes of one trial: this one, and an actor for each of the others."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any

import ray
import torch
from ray.exceptions import RayError
from ray.util.placement_group import get_current_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from search.execution.deaths import Deaths
from search.execution.prestart import environment
from search.execution.seat import Seat, Shared
from search.execution.thread import Thread
from search.execution.worker import Worker
from trainables.memory import remember
from trainables.ranks.group import Group, abort, join, lead, leave

Told = dict[str, Any]
"""What a process tells of an epoch; see `Seat.step`."""
ALONE = 5.0
"""Seconds for which the others go on after one of them has failed; those that fail alike have done so by then."""
WRITING = 60.0
"""The same where they end their last epochs, whose checkpoints the first one writes."""
DEAD = "dead"
"""Key of what is told of a process that has died."""
ECHO = "its process was ended with the others"
ECHOES = (ECHO, "losed by peer", "eset by peer", "roken pipe", "gloo", "NCCL", "TCPStore")
"""Words of the libraries that connect processes, where one of those is gone."""
LOOK = 0.2
"""Seconds between two looks at those that are at work."""


class Rank:
    """Any but the first process of a trial. It does what the first one does, and writes nothing.

    Args:
        shared: One reference, to what all trials have in common.
        number: Of this process, from 1.
    """

    def __init__(self, shared: Sequence[ray.ObjectRef[Shared]], number: int) -> None:
        self._shared = ray.get(shared[0])
        self._number = number
        self._seat = Seat(self._shared, time.time())

    def ready(self) -> None:
        """It has started."""

    def join(self, host: str, port: int) -> None:
        """Meet the others. See `trainables.ranks.group.join`."""
        shared = self._shared
        self._seat.ranks = join(
            host, port, self._number, shared.processes, torch.device(shared.fixed.device), _kind(shared)
        )

    def begin(self, config: dict[str, Any]) -> None:
        """See `search.execution.seat.Seat.begin`."""
        self._seat.begin(config)

    def step(self) -> dict[str, Any]:
        """See `search.execution.seat.Seat.step`."""
        return self._seat.step()

    def rest(self) -> None:
        """See `search.execution.seat.Seat.rest`."""
        self._seat.rest()


def _kind(shared: Shared) -> type[Group]:
    """How processes that have met are a trial's."""
    if not shared.sharded:
        return Group
    from trainables.ranks.sharded import Sharded  # takes seconds to import

    return Sharded


class Crew:
    """A seat of several processes; see `search.execution.seat.Seat`.

    All are told the same in the same order, so all train the same epochs. Where one fails and the others wait for it,
    they are ended: there is no way to make a process stop waiting that is in the middle of a sum over all.

    Args:
        shared: One reference, to what all trials have in common.
        asked: When there was a first trial for it, seconds since 1970.
    """

    def __init__(self, shared: Sequence[ray.ObjectRef[Shared]], asked: float) -> None:
        self._reference, self._shared = shared, ray.get(shared[0])
        self._deaths = Deaths()
        self._others: list[Any] = []
        self._hire()
        self._seat = Seat(self._shared, asked)
        self._own = Thread("crew")
        self._met = self._begun = False

    def begin(self, config: dict[str, Any]) -> None:
        """Take the next trial; see `Seat.begin`."""
        self._trial, self._begun = config, False

    def step(self) -> Told:
        """See `Seat.step`. Where memory has run out, all begin anew with smaller micro-batches."""
        self._deaths.look()
        lost: Counter[str] = Counter()
        while True:
            try:
                if not self._begun:
                    self._start()
                told = self._step()
            except RayError as error:
                told = {**self._dead(error), "seconds": "{}"}
                self._dissolve()
            lost.update(json.loads(told["seconds"]))
            if "smaller" in told:
                remember(told["smaller"])
                self._begun = False
                continue
            if "record" in told:
                self._trial = {**self._trial, "known": json.loads(told["record"])["epoch"]}
            return {**told, "seconds": json.dumps(lost)}

    def _start(self) -> None:
        if self._met:
            self._rest()
        if not self._met:
            self._seat.rest()
            self._meet()
        ray.get([other.begin.remote(self._trial) for other in self._others])
        self._seat.begin(self._trial)
        self._begun = True

    def _hire(self) -> None:
        """Start the others, each in its own part of what Ray has set aside for a trial."""
        maker: Any = ray.remote(Rank)
        for number in range(1, self._shared.processes):
            place = PlacementGroupSchedulingStrategy(
                get_current_placement_group(), placement_group_bundle_index=number
            )
            options = maker.options(
                num_cpus=self._shared.threads,
                num_gpus=int(self._shared.fixed.device == "cuda"),
                scheduling_strategy=place,
                runtime_env={"env_vars": environment()},
            )
            self._others.append(options.remote(self._reference, number))

    def _meet(self) -> None:
        if not self._others:
            self._hire()
        leave()
        ray.get([other.ready.remote() for other in self._others])
        host = ray.util.get_node_ip_address()
        joined: list[Any] = []

        def invite(port: int) -> None:
            joined.extend(other.join.remote(host, port) for other in self._others)

        shared = self._shared
        device = torch.device(shared.fixed.device)
        self._seat.ranks = lead(host, shared.processes, device, invite, _kind(shared))
        ray.get(joined)
        self._met = True

    def _step(self) -> Told:
        """What all of them tell: a record if each has it, else what went wrong."""
        own = self._own.run(self._seat.step)
        came = self._all(own, [other.step.remote() for other in self._others], _is_wrong, ALONE)
        wrong = [told for told in came if _is_wrong(told)]
        if 0 < len(wrong) < len(came):  # the others are ahead, and wait for it there
            self._dissolve()
        if not wrong and len({_course(told) for told in came}) > 1:
            self._dissolve()
            wrong = [_failure("the processes of a trial must tell the same epochs and ends, but do not")]
        told = self._cause(wrong) if wrong else own.result()
        return {**told, "seconds": own.result()["seconds"]}

    def _cause(self, wrong: Sequence[Told]) -> Told:
        """Of what went wrong in several processes that from which the rest follows: a death, then memory."""
        causes = [told for key in (DEAD, "smaller") for told in wrong if key in told]
        first = causes or [told for told in wrong if not _is_echo(told)]
        return first[0] if first else {**_failure(self._gone(wrong[0]["failure"])), "again": True}

    def _rest(self) -> None:
        """Nothing of the last trial is under way any more, in any of them."""
        own = self._own.run(self._seat.rest)
        self._all(own, [other.rest.remote() for other in self._others], lambda _: True, WRITING)

    def _all(
        self, own: Future[Any], asked: list[Any], last: Callable[[Any], bool], alone: float
    ) -> list[Any]:
        """What this process and the others answer, in the order in which the answers come.

        Args:
            own: This one's.
            asked: The others'.
            last: Whether one that answers so does nothing more, so that those who need it would wait for ever.
            alone: For how many seconds they may.
        """
        came: list[Any] = []
        heard, since = False, None
        while asked or not heard:
            if asked:
                ready, asked = ray.wait(asked, timeout=LOOK)
                came += [self._answer(one) for one in ready]
            else:
                wait([own], timeout=LOOK)
            if not heard and own.done():
                heard = True
                came.append(own.result())
            if since is None and any(map(last, came)):
                since = time.monotonic()
            if since is not None and time.monotonic() > since + alone:
                self._dissolve()
        return came

    def _answer(self, asked: Any) -> Told:
        try:
            told: Told = ray.get(asked)
        except RayError as error:
            told = self._dead(error) if self._met else _failure(ECHO)
            self._dissolve()  # nobody meets a dead one again
        return told

    def _dead(self, error: RayError) -> Told:
        return {**_failure(self._gone(self._deaths.reason(error))), "again": True, DEAD: True}

    def _gone(self, reason: str) -> str:
        return f"of the {self._shared.processes} processes of this trial one is gone: {reason}"

    def _dissolve(self) -> None:
        for other in self._others:
            with suppress(RayError):
                ray.kill(other)
        self._others, self._met = [], False
        if isinstance(self._seat.ranks, Group):
            self._seat.ranks.broken = True
        abort()


def _is_wrong(told: Told) -> bool:
    return "record" not in told


def _course(told: Told) -> tuple[int, bool]:
    """Where a process is, and whether its training ends there."""
    record = json.loads(told["record"])
    return record["epoch"], bool(record["ended"])


def _failure(text: str) -> Told:
    return {"failure": text, "diverged": False}


def _is_echo(told: Told) -> bool:
    """Whether a failure says no more than that another process has failed."""
    return "failure" in told and any(word in told["failure"] for word in ECHOES)


class Leader(Worker):
    """The first process of each trial that Ray gives it."""

    def setup(
        self, config: dict[str, Any], shared: Sequence[ray.ObjectRef[Shared]] | Shared | None = None
    ) -> None:
        """Ray's call at the start of a process; see `Worker`.

        Args:
            config: The first trial.
            shared: One reference, to what all trials have in common: the other processes need it too.
        """
        assert isinstance(shared, Sequence)
        self.seat = Crew(shared, config["asked"])
        self._first = config

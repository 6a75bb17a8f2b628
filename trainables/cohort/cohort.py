"""Several trials in one process: one works at a time, and they wait for each other where they need gradients."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from trainables.cohort.request import Request
from trainables.cohort.stack import Stack
from trainables.memory import is_out_of_memory
from trainables.precision import Precision

KEPT = 2
"""Stacks are kept as long as they have room for so many times the networks of the largest. What trials have frozen
makes another one, and so does each that comes or goes."""

_here = threading.local()


def current_member() -> Member | None:
    """The member whose turn it is in this thread, if any."""
    member: Member | None = getattr(_here, "member", None)
    return member


class Cohort:
    """Where the trials of one process meet, each in a thread of its own.

    Torch's random numbers and much else belong to a process, so only one trial works at a time: it has the turn. One
    that needs a gradient asks for it and gives the turn away. When all that are at work have asked, those whose
    networks, batch sizes and shapes are alike get their gradients from one batched pass; another one is told to make
    its own. Each trial's random numbers are its own: they go with the turn.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._turn: Member | None = None
        self._working: set[Member] = set()
        self._asking: dict[Member, Request] = {}
        self._stacks: dict[Any, Stack] = {}
        self._most: dict[Any, int] = {}
        self._agrees: dict[int, bool] = {}
        self.refused: dict[str, int] = {}
        """Why networks could not be batched → how often that was found out."""

    def join(self, device: torch.device) -> Member:
        """A place for one trial after the other.

        Args:
            device: Where its network is.
        """
        return Member(self, device)

    def begin(self, member: Member) -> None:
        """`member` sets to work: waits for the turn."""
        with self._changed:
            self._working.add(member)
            self._await_turn(member)

    def end(self, member: Member) -> None:
        """`member` has nothing more to do for now; the others no longer wait for it."""
        with self._changed:
            self._working.discard(member)
            self._give_turn_away(member)

    def ask(self, member: Member, request: Request, precision: Precision) -> None:
        """Give the turn away until `request` is answered and the turn is back."""
        with self._changed:
            self._asking[member] = request
            self._give_turn_away(member)
            while not request.answered:
                if self._turn is None and self._working <= self._asking.keys():
                    self._answer(member, precision)
                else:
                    self._changed.wait()
            self._await_turn(member)

    def _answer(self, member: Member, precision: Precision) -> None:
        """Answer all that is asked, in the thread of one of those that ask."""
        self._turn = member
        asked, self._asking = list(self._asking.values()), {}
        self._changed.release()
        try:
            for alike in _by_shape(asked):
                self._together(alike, precision)
        finally:
            self._changed.acquire()
            for request in asked:
                if not request.answered:
                    request.answer(None)
            self._turn = None
            self._changed.notify_all()

    def _together(self, requests: Sequence[Request], precision: Precision) -> None:
        """One pass for all that fit, or the word that each is to make its own."""
        shape = requests[0].shape
        most = self._most.get(shape, len(requests))
        for start in range(0, len(requests), max(1, most)):
            some = requests[start : start + max(1, most)]
            if len(some) == 1:
                some[0].answer(None)
                continue
            try:
                stack = self._stack(some)
                self._check(stack, some)
                stack.run(some, precision)
            except Exception as error:
                if not is_out_of_memory(error):
                    self._most[shape] = 1
                    reason = f"{type(error).__name__}: {error}"
                    self.refused[reason] = self.refused.get(reason, 0) + 1
                    continue  # who is not answered makes its own, and meets the fault by itself if it is one
                self._most[shape] = len(some) // 2
            else:
                continue
            # Outside of `except`, whose traceback would keep the failed pass's tensors alive.
            self._stacks.clear()
            if some[0].inputs.device.type == "cuda":
                torch.cuda.empty_cache()
            self._together(requests[start:], precision)
            return

    def _check(self, stack: Stack, requests: Sequence[Request]) -> None:
        structure = requests[0].network.structure
        if structure not in self._agrees:
            self._agrees[structure] = stack.agrees(requests)
        if not self._agrees[structure]:
            raise ValueError("a batched network must give what each gives by itself, but this one does not")

    def _stack(self, requests: Sequence[Request]) -> Stack:
        network = requests[0].network
        key = (network.structure, len(requests))
        stack = self._stacks.pop(key, None) or Stack(network.model, len(requests))
        self._stacks[key] = stack  # the last used is the last
        sizes = [stack.size for stack in self._stacks.values()]
        while sum(sizes) > KEPT * max(sizes):
            sizes.pop(0)
            del self._stacks[next(iter(self._stacks))]
        return stack

    def _await_turn(self, member: Member) -> None:
        while self._turn is not None:
            self._changed.wait()
        self._turn = member
        member.restore()

    def _give_turn_away(self, member: Member) -> None:
        member.save()
        self._turn = None
        self._changed.notify_all()


class Member:
    """One of a cohort: what a trial holds on to while it trains.

    Args:
        cohort: Whose.
        device: Where its network is.
    """

    def __init__(self, cohort: Cohort, device: torch.device) -> None:
        self._cohort = cohort
        self._random = [torch.default_generator]
        if device.type == "cuda":
            torch.cuda.init()
            index = torch.cuda.current_device() if device.index is None else device.index
            self._random.append(torch.cuda.default_generators[index])
        self._own = [torch.Generator(generator.device) for generator in self._random]

    @property
    def generator(self) -> torch.Generator:
        """The trial's random numbers on its device, as they are while it waits."""
        return self._own[-1]

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Within it the trial works, and no other one does but where it asks."""
        self._cohort.begin(self)
        _here.member = self
        try:
            yield
        finally:
            _here.member = None
            self._cohort.end(self)

    def ask(self, request: Request, precision: Precision) -> None:
        """Have a request answered; see `Request.answered`."""
        self._cohort.ask(self, request, precision)

    def save(self) -> None:
        """Keep the random numbers' state while another trial draws."""
        for own, shared in zip(self._own, self._random, strict=True):
            own.set_state(shared.get_state())

    def restore(self) -> None:
        """Go on with it."""
        for own, shared in zip(self._own, self._random, strict=True):
            shared.set_state(own.get_state())


def _by_shape(requests: Sequence[Request]) -> list[list[Request]]:
    groups: dict[Any, list[Request]] = {}
    for request in requests:
        groups.setdefault(request.shape, []).append(request)
    return list(groups.values())

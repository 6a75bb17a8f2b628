"""A Ray cluster that runs already: on several machines, of other people too."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from search.errors import StudyError
from search.execution.cluster import QUIET, environment_of_trials
from search.execution.resources import Resources, visible_gpus
from search.execution.token import use_token
from search.view.words import one_line
from spaces import InputError

T = TypeVar("T")

KNOCK = 10.0
"""Seconds for which the head's answer is waited for."""
IN_A_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Set by Ray for the driver of a submitted job, whose environment is the job's."""


class JoinedCluster:
    """Joined by the driver, which runs on one of its machines, and left as it was.

    The project's own packages go to each machine, in the driver's version; what they depend on must be there.

    Args:
        address: ``auto`` for the one of this machine, or ``host:port`` of its head.
        threads: Cores of one process.
        modules: Files and folders of Python code that trials need besides.
        grows_to: Trials at a time for which it is asked to grow; none asks for nothing.
        on_cpu: Whether the study is to run without a GPU.

    Raises:
        InputError: No address of a cluster that can be joined.
    """

    def __init__(
        self,
        address: str,
        threads: int,
        modules: Sequence[Path] = (),
        *,
        grows_to: int | None = None,
        on_cpu: bool = False,
    ) -> None:
        if "://" in address:
            raise InputError(
                "`ray_address` must be `auto` or `host:port`, and the study be run on a machine of the cluster, "
                f"but got {address!r}; `finetune-search submit` runs it there from anywhere"
            )
        self._address = address
        self._environment = environment_of_trials(threads)
        self._modules = modules
        self._grows_to, self._on_cpu = grows_to, on_cpu
        self._started = False
        self._asked = False
        self._set = {name: value for name, value in QUIET.items() if name not in os.environ}

    def __enter__(self) -> Self:
        import ray

        os.environ.update(self._set)
        if ray.is_initialized():  # the caller's own
            return self
        environment: dict[str, Any] = {
            "env_vars": self._environment,
            "py_modules": [str(path) for path in (*own_packages(), *self._modules)],
        }
        use_token()
        try:
            _knock(self._address)
            ray.init(
                address=self._address,
                runtime_env=None if IN_A_JOB in os.environ else environment,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except Exception as error:
            self._forget()
            raise StudyError(
                f"Ray's cluster at {self._address!r} could not be joined: {one_line(str(error))} (the study must be "
                "run on one of its machines; `finetune-search submit` runs it there from anywhere)"
            ) from error
        self._started = True
        return self

    @property
    def cores(self) -> int:
        """Of all machines that are there now."""
        return int(self._all("CPU"))

    @property
    def gpus(self) -> int:
        """Likewise."""
        return int(self._all("GPU"))

    @staticmethod
    def _all(kind: str) -> float:
        import ray

        return float(ray.cluster_resources().get(kind, 0.0))

    @property
    def may_grow(self) -> bool:
        """Always."""
        return True

    def start(self, resources: Resources, most: int, *, early: bool) -> None:
        """A cluster that can grow is asked to while the driver prepares the study, if that is wished for."""
        needs = {"CPU": resources.cpus_per_trial, "GPU": resources.gpus_per_trial}
        number = self._grows_to or 0
        if early and any(number * need > self._all(kind) for kind, need in needs.items()):
            self._ask(resources.bundles * number)
            self._asked = True

    def ready(self) -> None:
        """Trials that wait say from now on what is needed. What was asked for outlives a driver that is killed."""
        if self._asked:
            self._ask([])
            self._asked = False

    @staticmethod
    def _ask(bundles: list[dict[str, float]]) -> None:
        from ray.autoscaler.sdk import request_resources

        with suppress(Exception):  # none that can grow
            request_resources(bundles=bundles)

    def compute(self, function: Callable[..., T], *arguments: Any) -> T:
        """Elsewhere, where this machine has no GPU and another one has; else here."""
        if self._on_cpu or visible_gpus() or not self.gpus:
            return function(*arguments)
        import ray
        from ray.exceptions import RayTaskError

        remote: Any = ray.remote(num_gpus=1, max_retries=3)(function)
        try:
            result: T = ray.get(remote.remote(*arguments))
        except RayTaskError as error:
            raise error.cause from None  # as if it had happened here
        return result

    def __exit__(self, *error: object) -> None:
        import ray

        self.ready()
        if self._started:
            ray.shutdown()
        self._forget()

    def _forget(self) -> None:
        for name in self._set:
            os.environ.pop(name, None)


def _knock(address: str) -> None:
    """Ray itself would wait for minutes.

    Raises:
        OSError: Nobody answers at `address`.
    """
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=KNOCK).close()


def own_packages() -> tuple[Path, ...]:
    """The folders of the project's packages."""
    import search
    import spaces
    import trainables

    return tuple(Path(str(package.__file__)).parent for package in (search, trainables, spaces))

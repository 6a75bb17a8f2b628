"""A cluster's jobs that are studies: Ray's job API, with its errors in a sentence."""

from __future__ import annotations

import logging
import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from search.addresses import has_secret
from search.errors import StudyError
from search.execution.cluster import environment_of_trials
from search.execution.joined import own_packages
from search.execution.own_code import own_code
from search.execution.token import use_token
from search.jobs.bundle import STEM, bundled
from search.spec import StudySpec
from search.store.layout import (
    CHECKPOINTS_VARIABLE,
    MLFLOW_VARIABLE,
    OPTUNA_VARIABLE,
    STORE_VARIABLE,
)
from search.view.words import one_line
from spaces import InputError

HOME = "~/finetune-search"
"""The store on the cluster's head, unless another one is named."""
PATIENCE = 120
"""Seconds that a study which is told to stop may take to end its epochs."""
_IGNORING = "RAY_RUNTIME_ENV_IGNORE_GITIGNORE"
KEY = "study"
"""By which a job of ours is known from other people's; its value is the study's name."""


@dataclass(frozen=True)
class Job:
    """A study that was submitted.

    Args:
        id: Ray's name for it.
        study: The study's.
        state: ``PENDING``, ``RUNNING``, ``STOPPED``, ``SUCCEEDED`` or ``FAILED``.
        said: What Ray says about its state.
        began: Seconds since 1970; 0 where it has not begun.
        ended: Likewise.
    """

    id: str
    study: str
    state: str
    said: str = ""
    began: float = 0.0
    ended: float = 0.0

    @property
    def is_over(self) -> bool:
        """Whether it will change no more."""
        return self.state in {"STOPPED", "SUCCEEDED", "FAILED"}


def command(*, center_lr: bool) -> list[str]:
    """What is called on the cluster's head, beside the study that was sent."""
    call = ["python", "-m", "search", "run", f"{STEM}.yaml", "--address", "auto"]
    return [*call, "--center-lr"] if center_lr else call


class Jobs:
    """Those of one cluster.

    Args:
        address: Of its dashboard (``http://head:8265``); none takes Ray's own settings, or this machine's.

    Raises:
        StudyError: Nobody answers there.
        InputError: It is no such address.
    """

    def __init__(self, address: str | None = None) -> None:
        from ray.job_submission import JobSubmissionClient

        if address is not None and not address.startswith(("http://", "https://")):
            raise InputError(f"a cluster's address must be like http://head:8265, but got {address!r}")
        use_token()
        logging.getLogger("ray").setLevel(logging.ERROR)  # it tells of each package that it sends
        with _readable():
            self._client: Any = JobSubmissionClient(address)

    def submit(
        self, spec: StudySpec, store: str = HOME, *, center_lr: bool = False
    ) -> tuple[str, tuple[str, ...]]:
        """Have a study run, or go on, on the cluster.

        Args:
            spec: The study. Its files, and the user's code that it names, are sent with it.
            store: Where it is kept, on the cluster's head.
            center_lr: Search learning rates around what ramps suggest there, see `run`.

        Returns:
            The job's id, and the environment variables that were kept back because of what is secret in them.

        Raises:
            InputError: Data too large to be sent.
            StudyError: The cluster refuses it.
        """
        sent, secret = _stores()
        environment = {
            **environment_of_trials(spec.threads),
            **sent,
            STORE_VARIABLE: store,
            "RAY_JOB_STOP_WAIT_TIME_S": str(PATIENCE),
        }
        with bundled(spec, own_code(spec)) as folder, _readable(), _all_files():
            id: str = self._client.submit_job(
                entrypoint=shlex.join(command(center_lr=center_lr)),
                submission_id=f"{spec.name}-{time.strftime('%m%d-%H%M%S')}-{uuid4().hex[:4]}",
                runtime_env={
                    "working_dir": str(folder),
                    "py_modules": [str(path) for path in own_packages()],
                    "env_vars": environment,
                    "excludes": ["__pycache__/", ".?*"],  # `.*` would be all of it
                },
                metadata={KEY: spec.name},
            )
        return id, secret

    def all(self) -> list[Job]:
        """The studies that were submitted, the newest first."""
        with _readable():
            found = self._client.list_jobs()
        jobs = [_job(one) for one in found if one.submission_id and KEY in (one.metadata or {})]
        return sorted(jobs, key=lambda job: -job.began)

    def find(self, name: str) -> Job:
        """The job of that id, or the newest of the study of that name.

        Raises:
            InputError: There is none.
        """
        jobs = self.all()
        for job in jobs:
            if name in (job.id, job.study):
                return job
        there = f"; there are: {', '.join(job.id for job in jobs[:10])}" if jobs else "; there are none"
        raise InputError(f"there is no submitted study {name!r} on this cluster{there}")

    def logs(self, job: Job) -> str:
        """All that it has printed."""
        with _readable():
            said: str = self._client.get_job_logs(job.id)
        return said

    def follow(self, job: Job, every: float = 1.0) -> Iterator[str]:
        """What it prints, as it comes, until it is over."""
        shown = ""
        while True:
            over = self.find(job.id).is_over  # asked before: what came in between is not missed
            said = self.logs(job)
            if len(said) > len(shown):
                yield said[len(shown) :]
                shown = said
            if over:
                return
            time.sleep(every)

    def stop(self, job: Job) -> bool:
        """Let it end its epochs and stop; whether it was running."""
        with _readable():
            stopped: bool = self._client.stop_job(job.id)
        return stopped


def _stores() -> tuple[dict[str, str], tuple[str, ...]]:
    """Addresses of the stores that the cluster is to use too, and which of them have a secret in them.

    A job's settings are shown to everyone who sees the cluster's pages.
    """
    given = {
        name: os.environ[name]
        for name in (OPTUNA_VARIABLE, MLFLOW_VARIABLE, CHECKPOINTS_VARIABLE)
        if os.environ.get(name)
    }
    secret = tuple(name for name, address in given.items() if has_secret(address))
    return {name: address for name, address in given.items() if name not in secret}, secret


def _job(told: Any) -> Job:
    return Job(
        id=told.submission_id,
        study=told.metadata[KEY],
        state=str(getattr(told.status, "value", told.status)),
        said=told.message or "",
        began=(told.start_time or 0) / 1000,
        ended=(told.end_time or 0) / 1000,
    )


@contextmanager
def _all_files() -> Iterator[None]:
    """What git does not see of a folder of images is data too."""
    before = os.environ.get(_IGNORING)
    os.environ[_IGNORING] = "1"
    try:
        yield
    finally:
        os.environ.pop(_IGNORING)
        if before is not None:
            os.environ[_IGNORING] = before


@contextmanager
def _readable() -> Iterator[None]:
    from ray.exceptions import RayError

    try:
        yield
    except (
        OSError,
        RuntimeError,
        ValueError,
        RayError,
    ) as error:  # the packages' own errors are some of these
        raise StudyError(f"the Ray cluster did not take it: {one_line(str(error))}") from error

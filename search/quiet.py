"""Optuna without its talk."""

from collections.abc import Iterator
from contextlib import contextmanager

import optuna


@contextmanager
def hushed_optuna(level: int = optuna.logging.WARNING) -> Iterator[None]:
    """Drops Optuna's log lines below a level: those about each trial repeat what the view shows."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, level))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)

"""Linear algebra on one thread."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401  its library must be loaded to be found

    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """Small matrices on one thread.

    The driver shares its cores with trials. There threads of one product that wait for each other take longer than
    one thread does, and take it from the trials.
    """
    limited: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limited

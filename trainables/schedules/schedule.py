"""The type of all schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Schedule: TypeAlias = Callable[[float], float]
"""Progress in [0, 1] → factor on the learning rate, in [0, 1]. Pure."""

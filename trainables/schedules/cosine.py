"""The shapes a learning rate takes after its warm-up."""

from __future__ import annotations

import math


def cosine(progress: float) -> float:
    """Half a cosine from 1 to 0 (SGDR without restarts; Loshchilov & Hutter, ICLR 2017).

    Args:
        progress: In [0, 1].

    Returns:
        ``(1 + cos(π · progress)) / 2``, in [0, 1].
    """
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def constant(progress: float) -> float:
    """The same factor, 1, at every `progress` in [0, 1]."""
    return 1.0

"""Seeds that follow from a seed and a purpose, so that nothing has to be saved to repeat them."""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, *purpose: object) -> int:
    """A seed in [0, 2**63) that depends on `seed` and on each word of `purpose`, and on nothing else."""
    words = "/".join(str(word) for word in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "big") >> 1

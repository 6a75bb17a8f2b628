"""Addresses of stores, for eyes that should not see a password."""

from __future__ import annotations

import re


def without_secret(address: str) -> str:
    """An address without user and password, and without the values of options that may be keys."""
    if not address.startswith("sqlite"):
        address = re.sub(r"://[^/@]*@", "://", address)
        address = re.sub(r"://[^/@:]+:[^@]*@", "://", address)  # a password with a `/` in it
    return re.sub(r"(?i)([?&][^=&]*(?:pass|pwd|token|key|secret)[^=&]*=)[^&]*", r"\1...", address)


def has_secret(address: str) -> bool:
    """Whether there is more than the name of a database's user that not everyone should see."""
    plain = re.sub(r"^((?!http)[\w+.-]+://)[^/@:]+@", r"\1", address)
    return without_secret(plain) != plain

"""Ray's token: a cluster that asks for one is joined with the one that this user has."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

MODE = "RAY_AUTH_MODE"


def use_token() -> None:
    """Show the token of this user (``~/.ray/auth_token``, ``$RAY_AUTH_TOKEN``) where there is one.

    A head that is started where there is one asks for it, but those who join do not show it by themselves, unless
    ``$RAY_AUTH_MODE`` says so. One that does not ask does not mind.
    """
    if MODE in os.environ:
        return
    with suppress(Exception):  # a Ray that has no tokens, or keeps them elsewhere
        from ray import _raylet

        raylet: Any = _raylet
        if raylet.AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True):
            os.environ[MODE] = "token"
            raylet.Config.initialize("")  # what was read of the environment before is old

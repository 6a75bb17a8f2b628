"""Where what can be made again is kept."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

CACHE_VARIABLE = "FINETUNE_SEARCH_CACHE"


def cache_folder() -> Path:
    """``$FINETUNE_SEARCH_CACHE``, or the user's cache folder. All in it may be deleted at any time."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen) if chosen else platformdirs.user_cache_path("finetune-search")

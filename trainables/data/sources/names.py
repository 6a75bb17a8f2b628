"""What people call the splits of a data set."""

from __future__ import annotations

_CALLED = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "tst"),
}
_SPLIT = {name: split for split, names in _CALLED.items() for name in names}


def split_called(name: str) -> str | None:
    """``val`` for ``Validation`` and the like; none for what is no split's name."""
    return _SPLIT.get(name.strip().lower())

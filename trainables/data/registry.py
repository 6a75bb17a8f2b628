"""Data sets by the names that users type."""

from __future__ import annotations

from spaces import InputError, locate
from spaces.errors import did_you_mean
from trainables.data.dataset import Dataset

BUILT_IN = {"digits": "trainables.data.digits:digits", "glyphs": "trainables.data.glyphs:glyphs"}
"""Name → where the function lives that makes the data set from the seed of its split."""


def find_dataset(name: str) -> str:
    """Where the function lives that makes the data set called `name`; nothing is imported.

    Raises:
        InputError: It is neither a built-in nor of the form ``package.module:function``.
    """
    place = BUILT_IN.get(name, name)
    if ":" not in place:
        raise InputError(
            f"data must be one of {', '.join(BUILT_IN)} or a 'package.module:function', "
            f"but got {name!r}{did_you_mean(name, BUILT_IN)}"
        )
    return place


def load_dataset(name: str, seed: int = 0) -> Dataset:
    """The data set called `name`, split by `seed`.

    Args:
        name: A built-in, or ``package.module:function`` of one's own with the signature
            ``(seed: int) -> Dataset``.
        seed: Of the split into train, val and test.

    Raises:
        InputError: There is no such data set; the built-ins are named.
    """
    make = locate(find_dataset(name))
    if not callable(make):
        raise InputError(
            f"data {name!r} must be a function (seed) -> Dataset, but is a {type(make).__name__}"
        )
    try:
        dataset = make(seed)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"data {name!r} must give a Dataset, but failed: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(dataset, Dataset):
        raise InputError(f"data {name!r} must return a Dataset, but returned a {type(dataset).__name__}")
    return dataset

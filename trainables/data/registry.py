"""Data sets by the names that users type."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module

from spaces import InputError
from trainables.data.dataset import Dataset

BUILT_IN = {"digits": "trainables.data.digits:digits", "glyphs": "trainables.data.glyphs:glyphs"}
"""Name → where the function lives that makes the data set from the seed of its split."""


def load_dataset(name: str, seed: int = 0) -> Dataset:
    """The data set called `name`, split by `seed`.

    Args:
        name: A built-in, or ``package.module:function`` of one's own with the signature
            ``(seed: int) -> Dataset``.
        seed: Of the split into train, val and test.

    Raises:
        InputError: There is no such data set; the built-ins are named.
    """
    place = BUILT_IN.get(name, name)
    if ":" not in place:
        close = get_close_matches(name, BUILT_IN, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise InputError(
            f"data must be one of {', '.join(BUILT_IN)} or a 'package.module:function', "
            f"but got {name!r}{hint}"
        )
    module, _, attribute = place.partition(":")
    try:
        make: Callable[[int], Dataset] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"data {name!r} must be importable, but: {error}") from None
    dataset = make(seed)
    if not isinstance(dataset, Dataset):
        raise InputError(f"data {name!r} must return a Dataset, but returned a {type(dataset).__name__}")
    return dataset

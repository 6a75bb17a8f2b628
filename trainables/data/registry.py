"""Data sets by the names that users type."""

from __future__ import annotations

from spaces import InputError, locate
from trainables.data.dataset import Dataset
from trainables.data.naming import BUILT_IN, absolute, unknown
from trainables.data.reading import Reading, read_dataset
from trainables.data.sources.find import find_source


def load_dataset(name: str, seed: int = 0, reading: Reading | None = None) -> Dataset:
    """The data set called `name`, split by `seed`.

    Args:
        name: What `trainables.data.sources.find.find_source` knows, a built-in, or ``package.module:function``
            of one's own with the signature ``(seed: int) -> Dataset``.
        seed: Of the split into train, val and test.
        reading: How pictures of a source are prepared and split.

    Raises:
        InputError: There is no such data set, or nothing that can be learnt from.
    """
    if name not in BUILT_IN:
        source = find_source(name)
        if source is not None:
            return read_dataset(absolute(name), source, reading or Reading(), seed)
    place = BUILT_IN.get(name, name)
    if ":" not in place:
        raise InputError(unknown(name))
    make = locate(place)
    if not callable(make):
        raise InputError(
            f"data {name!r} must be a Source or a function (seed) -> Dataset, but is a {type(make).__name__}"
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

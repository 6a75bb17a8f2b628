"""Data sets: sources, the store, splits, batches."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainables.data.dataset import Dataset, Images
    from trainables.data.invariances import Invariances
    from trainables.data.naming import BUILT_IN, find_dataset
    from trainables.data.registry import load_dataset
    from trainables.data.sources.arrays import Arrays
    from trainables.data.sources.source import Files, Source

__all__ = [
    "BUILT_IN", "Arrays", "Dataset", "Files", "Images", "Invariances", "Source", "find_dataset", "load_dataset",
]  # fmt: skip

_PLACES = {
    "BUILT_IN": "naming", "Arrays": "sources.arrays", "Dataset": "dataset", "Files": "sources.source",
    "Images": "dataset", "Invariances": "invariances", "Source": "sources.source", "find_dataset": "naming",
    "load_dataset": "registry",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Imported when first asked for: settings of a study are checked without numpy."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = value
    return value

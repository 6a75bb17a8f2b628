"""Data sets: sources, splits, batches."""

from trainables.data.dataset import Dataset, Images, Invariances
from trainables.data.registry import BUILT_IN, find_dataset, load_dataset

__all__ = ["BUILT_IN", "Dataset", "Images", "Invariances", "find_dataset", "load_dataset"]

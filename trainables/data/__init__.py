"""Data sets: sources, splits, batches."""

from trainables.data.dataset import Dataset, Images, Invariances
from trainables.data.registry import BUILT_IN, load_dataset

__all__ = ["BUILT_IN", "Dataset", "Images", "Invariances", "load_dataset"]

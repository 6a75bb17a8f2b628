"""Augmentation in batches on the trial's device."""

from trainables.augmentation.strength import make_augmentation

__all__ = ["make_augmentation"]

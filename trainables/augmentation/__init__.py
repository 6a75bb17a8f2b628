"""Augmentation in batches on the trial's device."""

from trainables.augmentation.policy import Augmentation, Changes, Curriculum, Mixing

__all__ = ["Augmentation", "Changes", "Curriculum", "Mixing"]

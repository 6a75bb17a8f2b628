"""Losses over soft labels."""

from trainables.losses.loss import Criterion

__all__ = ["Criterion"]

"""Losses over soft labels."""

from trainables.losses.loss import Criterion, Losses, MakesLoss, weighted_mean

__all__ = ["Criterion", "Losses", "MakesLoss", "weighted_mean"]

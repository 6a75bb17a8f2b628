"""Files of a trial's checkpoint folder."""

LAST = "last.pt"
"""Everything that a continuation needs."""

BEST = "best.pt"
"""Weights of the best epoch, written with the last epoch."""

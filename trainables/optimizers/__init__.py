"""Optimizers, one family a file, and what the loop does with any of them."""

from trainables.optimizers.evaluation import evaluating
from trainables.optimizers.optimizer import OptimizerPart
from trainables.optimizers.pace import remember_momentum, set_pace

__all__ = ["OptimizerPart", "evaluating", "remember_momentum", "set_pace"]

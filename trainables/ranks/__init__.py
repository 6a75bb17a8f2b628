"""Several processes that train one trial, each on its part of every batch."""

from trainables.ranks.group import Group
from trainables.ranks.ranks import ONE, One, Ranks, Smaller, as_one_of, current_ranks

__all__ = ["ONE", "Group", "One", "Ranks", "Smaller", "as_one_of", "current_ranks"]

"""Trials of one architecture trained in one process, their passes made as those of one batched network.

A small network leaves most of a GPU idle: each of its operations takes longer to ask for than to do. Here every trial
trains as it always does, with its own optimizer, schedule, augmentation, random numbers and end. Only where it needs
the gradient of a batch it waits for the others, and those whose networks are alike get theirs from one pass over all.
"""

from trainables.cohort.cohort import Cohort, Member, current_member
from trainables.cohort.together import Together

__all__ = ["Cohort", "Member", "Together", "current_member"]

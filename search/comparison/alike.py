"""What two recipes must have alike to be compared, and what is made alike: what one of them leaves to be measured."""

from __future__ import annotations

import filecmp
from collections.abc import Sequence

from search.comparison.difference import FIRST, SECOND
from search.comparison.side import Side
from spaces import InputError
from spaces.errors import shown
from trainables.config import MEASURED

SPLIT = ("split_seed", "folds", "holdouts")
SPLIT_SETTINGS = ("val_share", "test_share", "duplicates")


def check_images(sides: Sequence[Side]) -> None:
    """Whether both recipes are of the same images in the same splits, as far as their words say.

    Raises:
        InputError: They are not.
    """
    first, second = (side.recipe for side in sides)
    if first.data != second.data:
        raise InputError(
            f"two recipes must be trained on the same data to be compared, but {FIRST} is of {shown(first.data)} and "
            f"{SECOND} of {shown(second.data)}; --data DATA trains both on one"
        )
    for names, ours, theirs in (
        (SPLIT, first, second),
        (SPLIT_SETTINGS, first.settings, second.settings),
    ):
        for name in names:
            if getattr(ours, name) != getattr(theirs, name):
                raise InputError(
                    f"two recipes must be judged on the same split to be compared, but {FIRST} has "
                    f"{name}={getattr(ours, name)!r} and {SECOND} {name}={getattr(theirs, name)!r}; set it alike"
                )


def alike(sides: Sequence[Side]) -> list[Side]:
    """Both with one number of threads, and with what one leaves to ``auto`` as the other has it."""
    first, second = (side.recipe for side in sides)
    made = []
    for side, mine, other in ((sides[0], first, second), (sides[1], second, first)):
        taken = {
            name: getattr(other.settings, name)
            for name in MEASURED
            if getattr(mine.settings, name) == "auto" != getattr(other.settings, name)
        }
        settings = mine.settings.model_copy(update=taken)
        made.append(
            Side(side.typed, mine.model_copy(update={"settings": settings, "threads": first.threads}))
        )
    return made


def written_otherwise(sides: Sequence[Side]) -> set[str]:
    """Settings that are the same although they are written differently: files of one content."""
    paths = [side.recipe.settings.pretrained for side in sides]
    first, second = paths
    if not isinstance(first, str) or not isinstance(second, str) or first == second:
        return set()
    try:
        return {"pretrained"} if filecmp.cmp(first, second, shallow=False) else set()
    except OSError:  # what is not there is said when it is needed
        return set()

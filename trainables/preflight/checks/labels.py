"""Each label in its range, each class there to be learnt."""

from __future__ import annotations

from collections.abc import Iterator

from trainables.preflight.result import Result, blocker, passed, warning
from trainables.preflight.setup import Setup


def check_labels(setup: Setup) -> Iterator[Result]:
    """Each in its range, each class there to be learnt."""
    count = len(setup.classes)
    for shown, what in ((setup.train, "training"), (setup.val, "validation")):
        low, high = int(shown.labels.min()), int(shown.labels.max())
        if low < 0 or high >= count:
            yield blocker(
                "labels", "labels_out_of_range",
                f"a {what} image has label {low if low < 0 else high}, but with {count} classes it must lie in "
                f"[0, {count - 1}]",
                "Count classes from 0, and name as many as there are.",
            )  # fmt: skip
            return
    there = setup.train.labels.unique().numel()
    known = set(setup.train.labels.tolist())
    strange = sorted({int(label) for label in setup.val.labels.tolist()} - known)
    if strange and len(setup.train.labels) >= 20 * count:
        yield warning(
            "labels", "class_not_learnt",
            f"{len(strange)} classes of the validation images are not among {len(setup.train.labels)} training images, "
            f"{setup.classes[strange[0]]!r} first",
            "Split the images anew, by class.",
        )  # fmt: skip
        return
    yield passed(
        "labels", f"all labels lie in [0, {count - 1}]; {there} of {count} classes among the training images"
    )

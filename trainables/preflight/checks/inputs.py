"""What reaches the network: finite, and of the spread that networks learn from."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from trainables.preflight.result import Result, blocker, passed, warning
from trainables.preflight.setup import Setup

FARTHEST_MEAN, SMALLEST, LARGEST = 3.0, 0.1, 5.0
"""Mean (in size) and spread of inputs beyond which they are not normalised: normalised ones have 0 and 1, and data
unlike those that the statistics are from seldom more than twice as much or less than a third."""

NAMED = 5
"""Images that are named, at most."""


def check_inputs(setup: Setup) -> Iterator[Result]:
    """Mean, spread and range of what the network is given.

    Source: LeCun et al., Efficient BackProp (1998), section 4.3: inputs of mean 0 and equal spread.
    """
    loop = setup.loop()
    rows = torch.arange(min(len(setup.train.labels), max(setup.batch, 64)))
    drawn, _ = loop.batch(rows)
    for shown, what in ((setup.train, "training"), (setup.val, "validation")):
        bad = _not_finite(shown.inputs)
        if bad:
            names = ", ".join(shown.name(index) for index in bad[:NAMED])
            more = f" and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
            yield blocker(
                "inputs",
                "not_finite",
                f"{len(bad)} of {len(shown.inputs)} {what} images are not finite where the network gets them: "
                f"{names}{more}",
                "Repair or leave out these images; `finetune-search check` finds files that cannot be read.",
                images=bad,
            )
            return
    if bad := _not_finite(drawn):
        yield blocker(
            "inputs",
            "not_finite",
            f"the images are finite, but {len(bad)} of {len(drawn)} are not after augmentation: "
            + ", ".join(setup.train.name(index) for index in bad[:NAMED]),
            "An operation of the augmentation divides by zero or takes a root of what is below it; leave it out.",
            images=bad,
        )
        return
    mean, spread = float(drawn.mean()), float(drawn.std())
    low, high = float(drawn.min()), float(drawn.max())
    figures = {"mean": mean, "spread": spread, "low": low, "high": high}
    said = f"inputs have mean {mean:.2g}, spread {spread:.2g}, range {low:.2g} to {high:.2g}"
    if spread < 1e-6:
        yield blocker(
            "inputs", "constant", f"{said}: all images look the same to the network",
            "Look at the picture grid; a window or a normalisation makes everything black or white.", **figures,
        )  # fmt: skip
        return
    one_sided = low >= 0 and mean > 0
    if one_sided or abs(mean) > FARTHEST_MEAN or not SMALLEST <= spread <= LARGEST:
        why = "never below 0, as pixels are before they are normalised" if one_sided else "not normalised"
        yield warning(
            "inputs", "not_normalised", f"{said}: {why}",
            "Give the statistics that the weights were trained with (mean, std; values of pixels in [0, 1]), "
            "or leave both out, so that those of the images are taken.", **figures,
        )  # fmt: skip
        return
    yield passed("inputs", said, **figures)


def _not_finite(inputs: Tensor) -> list[int]:
    found: list[int] = (~torch.isfinite(inputs.flatten(1)).all(1)).nonzero().flatten().tolist()
    return found

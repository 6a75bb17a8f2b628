"""A step changes each group that learns."""

from __future__ import annotations

import math
from collections.abc import Iterator

from trainables.preflight.result import Result, blocker, passed
from trainables.preflight.setup import Setup
from trainables.preflight.stepping import first_step, groups_of


def check_updates(setup: Setup) -> Iterator[Result]:
    """A step changes each group that learns, at the recipe's own rate, and not by much."""
    loop = setup.loop()
    before = {name: [one.detach().clone() for one in params] for name, params in groups_of(loop).items()}
    first_step(setup, loop, 1.0)
    ratios: dict[str, float] = {}
    for name, params in groups_of(loop).items():
        if not any(one.requires_grad for one in params):
            continue
        change = math.sqrt(
            sum(
                float((one.detach() - old).square().sum())
                for one, old in zip(params, before[name], strict=True)
            )
        )
        length = math.sqrt(sum(float(old.square().sum()) for old in before[name]))
        ratios[name] = change / max(length, 1e-12)
    still = [name for name, ratio in ratios.items() if ratio == 0]
    if still:
        yield blocker(
            "updates", "no_update", f"a step leaves {_listed(still)} as it was",
            "Its learning rate is zero, or so small that nothing is left of it.", ratios=ratios,
        )  # fmt: skip
        return
    slowest, fastest = min(ratios.values()), max(ratios.values())
    which = f"by {slowest:.1e} of their length"
    if len(ratios) > 1:
        which = f"in {len(ratios)} groups by {slowest:.1e} to {fastest:.1e} of their length"
    yield passed("updates", f"the first step changes the weights {which}", ratios=ratios)


def _listed(names: list[str]) -> str:
    some = ", ".join(repr(name) for name in names[:3])
    return f"group {some}" if len(names) == 1 else f"groups {some}{' and others' if len(names) > 3 else ''}"

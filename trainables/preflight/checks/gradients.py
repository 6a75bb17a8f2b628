"""Gradients where something is to learn and nowhere else, and none that are older than their step."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from trainables.preflight.classifier import classifier_of
from trainables.preflight.result import Result, blocker, passed, warning
from trainables.preflight.setup import Setup
from trainables.preflight.stepping import first_step, groups_of


def check_gradients(setup: Setup) -> Iterator[Result]:
    """After one backward pass: a finite gradient that is not zero in each group that learns, none in what is frozen."""
    loop = setup.loop()
    first_step(setup, loop, 0.0)
    learning = {
        id(one) for group in loop.optimizer.param_groups for one in group["params"] if one.requires_grad
    }
    if (head := classifier_of(loop.model)) is not None and not any(
        id(one) in learning for one in head.parameters()
    ):
        yield blocker(
            "gradients", "frozen_head",
            "the classifier does not learn: the optimizer does not have it, or it is frozen",
            "A new classifier is random; let it learn.",
        )  # fmt: skip
        return
    if not learning:
        yield blocker(
            "gradients",
            "nothing_learns",
            "no parameter of the network learns",
            "Unfreeze the classifier at least.",
        )
        return
    named = {id(one): name for name, one in loop.model.named_parameters()}
    groups = groups_of(loop)
    for name, params in groups.items():
        awake = [one for one in params if one.requires_grad]
        if not awake:
            continue
        found = [one.grad for one in awake if one.grad is not None]
        if any(not bool(torch.isfinite(one).all()) for one in found):
            yield blocker(
                "gradients", "not_finite", f"the gradient of group {name!r} is not finite on the first batch",
                "The loss takes the logarithm of zero, or 16 bits are too few: try precision=fp32.",
            )  # fmt: skip
            return
        if not found or not any(bool((one != 0).any()) for one in found):
            where = named.get(id(awake[0]), "?")
            yield blocker(
                "gradients", "no_gradient", f"group {name!r} ({where} first) is to learn, but gets no gradient",
                "Something between it and the loss is detached, or the network does not use it.",
            )  # fmt: skip
            return
    wrong = [named[id(one)] for one in loop.model.parameters() if id(one) not in learning and one.grad is not None
             and bool((one.grad != 0).any()) and one.requires_grad]  # fmt: skip
    if wrong:
        yield warning(
            "gradients", "not_in_the_optimizer",
            f"{len(wrong)} parameters get a gradient that no optimizer uses, {wrong[0]!r} first",
            "Give them to the optimizer, or freeze them, which saves their backward pass.",
        )  # fmt: skip
        return
    if stale := _keeps_gradients(setup):
        yield stale
        return
    yield passed("gradients", "all that is to learn gets a finite gradient, which is cleared before the next")


def _keeps_gradients(setup: Setup) -> Result | None:
    """Whether gradients of a step are still there in the next: what was put there before a step must be gone after."""
    loop = setup.loop()
    learning = [one for group in loop.optimizer.param_groups for one in group["params"] if one.requires_grad]
    for one in learning:
        one.grad = torch.full_like(one, torch.nan)
    first_step(setup, loop, 0.0)
    if any(one.grad is not None and bool(torch.isnan(one.grad).any()) for one in learning):
        return blocker(
            "gradients", "gradients_add_up",
            "gradients are not cleared before a step: each adds to those of all steps before",
            "Call `optimizer.zero_grad()` before each backward pass.",
        )  # fmt: skip
    return None

"""How the trials of a study share its GPUs: decided by what one trial of it takes there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from search.execution.cluster import Cluster
from search.execution.resources import Resources, batched
from search.spec import OWN_CORE, StudySpec
from spaces import Choice, Int, SearchSpace

if TYPE_CHECKING:
    from trainables.config import Fixed
    from trainables.material import Material

MOST_TOGETHER = 16
"""Trials of one batched network; a study that has fewer workers waits less for the slowest of them."""


def most_workers(resources: Resources, spec: StudySpec, gpus: int) -> int:
    """How many workers a study may have once `share_cards` has decided."""
    is_open = resources.gpus_per_trial and spec.workers is None and spec.gpus_per_trial is None
    return gpus * MOST_TOGETHER if is_open else resources.workers


def share_cards(
    resources: Resources,
    spec: StudySpec,
    space: SearchSpace,
    fixed: Fixed,
    material: Material,
    cluster: Cluster,
) -> Resources:
    """`resources` with what the spec leaves open decided by measuring; without a GPU they are as they are.

    First whether batched passes pay, and of how many trials; where they do not, how many processes the memory of a
    card has room for, and the machine has cores for.

    Args:
        resources: As `find_resources` found them.
        spec: The study.
        space: Its space.
        fixed: Its constants, every ``auto`` decided.
        material: What its trials are made of.
        cluster: What it runs on.
    """
    if (
        resources.processes > 1
        or not resources.gpus_per_trial
        or fixed.device != "cuda"
        or spec.trainable != OWN_CORE
    ):
        return resources
    gpus = cluster.gpus
    most = MOST_TOGETHER if spec.workers is None else -(-spec.workers // gpus)
    if spec.together == "auto" and spec.gpus_per_trial is None and most > 1 and are_alike(space, fixed):
        number = cluster.compute(_number_that_pays, space, fixed, material, most)
        if number > 1:
            return batched(resources.cpus_per_trial, spec.workers, number, gpus)
    most = min(most, cluster.cores // spec.cores // gpus)
    if resources.together == 1 and spec.gpus_per_trial is None and most > 1:
        room = cluster.compute(_room, space, fixed, material)
        return divided(resources, spec.workers, min(most, room), gpus)
    return resources


def are_alike(space: SearchSpace, fixed: Fixed) -> bool:
    """Whether passes of a space's trials can be made as one: all have one batch size and learn the same layers.

    Where batch sizes and strategies are searched, of sixteen trials hardly two ask for the same pass at a time.
    """
    from trainables.builder import may_be_batched
    from trainables.config import TrialConfig

    leaves = space.leaves()
    same = all(
        name not in leaves or leaves[name].is_fixed
        for name in ("batch_size", "strategy", "batchnorm", "transfer")
    )
    return same and may_be_batched(TrialConfig.from_params(space.baseline(), fixed))


def divided(resources: Resources, workers: int | None, number: int, gpus: int) -> Resources:
    """`number` trials, each with a process of its own, on each GPU."""
    number = max(1, number)
    return replace(resources, workers=workers or gpus * number, gpus_per_trial=1 / number)


def _number_that_pays(space: SearchSpace, fixed: Fixed, material: Material, most: int) -> int:
    """With batches of the baseline's size."""
    import torch

    from trainables.memory_format import laid_out
    from trainables.models.network import make_network
    from trainables.precision import Precision, pick_device
    from trainables.sharing import give_back, number_that_pays

    device, memory_format = pick_device(fixed.device), fixed.memory_format
    images = min(int(space.baseline().get("batch_size", fixed.batch_size)), len(material.train))
    batch = torch.rand(images, material.channels, material.size, material.size, device=device)

    def network() -> torch.nn.Module:
        made = make_network(
            material.backbone,
            None,
            classes=len(material.classes),
            channels=material.channels,
            memory_format=memory_format,
        )
        return made.to(device).train()

    inputs = laid_out(batch, memory_format)
    number = number_that_pays(network, inputs, Precision(fixed.precision, device), most)
    give_back(device)
    return number


def _room(space: SearchSpace, fixed: Fixed, material: Material) -> int:
    """Processes of a card, by its memory and what the hungriest kind of trial takes of it."""
    from search.feasibility import branches
    from trainables.precision import pick_device
    from trainables.sharing import memory_beside, memory_of_a_trial, room_for

    batch = largest_batch(space, fixed, len(material.train))
    recipes = [
        {**params, "batch_size": batch} if "batch_size" in params else params for params in branches(space)
    ]
    peak = memory_of_a_trial(recipes, fixed, material)
    return room_for(peak, *memory_beside(pick_device(fixed.device)))


def largest_batch(space: SearchSpace, fixed: Fixed, images: int) -> int:
    """The largest that a trial of a space may have."""
    domain = space.leaves().get("batch_size")
    if isinstance(domain, Int):
        return min(domain.high, images)
    if isinstance(domain, Choice):
        return min(max(int(option) for option in domain.options if not isinstance(option, str)), images)
    return min(fixed.batch_size, images)

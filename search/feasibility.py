"""Whether each recipe of a space can be trained at all, found out before the first trial."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import nn

from spaces import Choice, InputError, Int, Leaf, Params, SearchSpace, Value
from trainables.builder import bind, check_parts
from trainables.config import Fixed, TrialConfig, check_options
from trainables.data.batches import Split
from trainables.material import Material
from trainables.ranks.limits import check_processes
from trainables.strategies import depth_of, make_strategy

BUILT_BY = ("strategy", "transfer", "batchnorm")
"""Parts that a network can refuse."""


def check_space(space: SearchSpace, fixed: Fixed, material: Material) -> None:
    """Build the network of each kind of recipe once; train nothing.

    Each parameter of each branch is tried at both ends of its range, or at each option, with the rest as
    in the baseline; each two branches of different switches are tried together, but for the network.

    Raises:
        InputError: A parameter that nothing reads, that the model cannot take, a value outside the law of
            what reads it, or a batch larger than the data; the sentence names both.
    """
    check_options(fixed)
    images = len(material.train)
    _check_batches(space, fixed, images)
    train = Split(material.train, torch.device("cpu"))
    built: set[tuple[object, ...]] = set()
    for name, params in _corners(space):
        try:
            config = TrialConfig.from_params(params, fixed)
            check_parts(config)
            kind = _kind(config)
            if kind not in built:
                bind(config, material, train)
                built.add(kind)
        except InputError as error:
            said = str(error)
            raise InputError(
                said if not name or name in said else f"{name}={params[name]!r}: {said}"
            ) from None
    for params in _pairs(space):
        TrialConfig.from_params(params, fixed)


def check_several(
    space: SearchSpace, fixed: Fixed, material: Material, processes: int, *, sharded: bool
) -> None:
    """Whether trials of several processes can be trained; see `trainables.ranks.limits`.

    Raises:
        InputError: One kind of them cannot.
    """
    domain = space.leaves().get("batch_size")
    smallest = fixed.batch_size
    if domain is not None:
        sizes = domain.options if isinstance(domain, Choice) else (domain.low,)
        smallest = min(int(size) for size in sizes)
    model = bind(
        TrialConfig.from_params(space.baseline(), fixed), material, Split(material.train, torch.device("cpu"))
    ).model
    for _, params in _corners(space):
        config = TrialConfig.from_params(params, fixed)
        config = replace(config, batch=replace(config.batch, size=smallest))
        check_processes(config, model, processes, sharded=sharded)


def _kind(config: TrialConfig) -> tuple[object, ...]:
    """What the network is asked to take."""
    regularisation = config.regularisation
    return (
        *(config.parts[kind].name for kind in BUILT_BY),
        bool(regularisation.dropout),
        bool(regularisation.drop_path),
    )


def grace_epochs(space: SearchSpace, fixed: Fixed, material: Material) -> int:
    """Epochs before which no trial should be judged: its warm-up, and the first change of its strategy.

    An epoch of full training must lie in it too, so the first rung is at least one past both.
    """
    longest, depth = 1, 0
    leaves = space.leaves()
    for params in branches(space):
        raised = dict(params)
        for name, domain in leaves.items():
            if name in raised and not isinstance(domain, Choice):
                raised[name] = domain.high
        config = TrialConfig.from_params(raised, fixed)
        if not depth:
            train = Split(material.train, torch.device("cpu"))
            depth = _depth(bind(TrialConfig.from_params(params, fixed), material, train).model)
        strategy, _ = make_strategy(config.parts["strategy"], config.epochs)
        warm = round(config.warmup.share * config.epochs + 0.499)
        longest = max(longest, warm + 1, strategy.first_change(depth))
    return min(longest, fixed.epochs)


def _depth(model: nn.Module) -> int:
    """Of one that does not know its layers 1: strategies that go by them have been refused already."""
    try:
        return depth_of(model)
    except InputError:
        return 1


def _check_batches(space: SearchSpace, fixed: Fixed, images: int) -> None:
    batch = space.leaves().get("batch_size")
    if batch is None:
        if fixed.batch_size > images:
            raise InputError(
                f"`batch_size <= training images` must hold, but got batch_size={fixed.batch_size} with {images} "
                "training images"
            )
    elif isinstance(batch, Int) and batch.high > images:
        room = f"[{batch.low},{images}]" if batch.low < images else f"{images}"
        raise InputError(
            f"`batch_size <= training images` must hold, but the space goes up to {batch.high} with {images} "
            f"training images; narrow it: --set batch_size={room}"
        )
    elif isinstance(batch, Choice):
        large = [option for option in batch.options if isinstance(option, (int, float)) and option > images]
        if large:
            raise InputError(
                f"`batch_size <= training images` must hold, but the space has {large[0]} with {images} "
                "training images"
            )


def _corners(space: SearchSpace) -> Iterator[tuple[str, Params]]:
    """Recipes in which one parameter is at an end of its range, with its name; the baseline first."""
    yield "", space.baseline()
    for name, domain in space.leaves().items():
        ends = domain.options if isinstance(domain, Choice) else (domain.low, domain.high)
        for value in ends:
            yield name, _drawn(space, {**_towards(space, name), name: value})


def branches(space: SearchSpace) -> Iterator[Params]:
    """An ordinary recipe of each branch of each switch, the baseline first."""
    yield space.baseline()
    for name, domain in space.leaves().items():
        for option in domain.options if isinstance(domain, Choice) else ():
            yield _drawn(space, {**_towards(space, name), name: option})


def _pairs(space: SearchSpace) -> Iterator[Params]:
    """Recipes in which two choices are anything."""
    choices = {name: leaf for name, leaf in space.leaves().items() if isinstance(leaf, Choice)}
    for name, domain in choices.items():
        for other, second in choices.items():
            if name >= other:
                continue
            towards = {**_towards(space, name), **_towards(space, other)}
            for value in domain.options:
                for another in second.options:
                    yield _drawn(space, {**towards, name: value, other: another})


def _towards(space: SearchSpace, leaf: str) -> dict[str, Value]:
    """The branches that have to be taken for `leaf` to be asked for: ``strategy.full.lr`` needs full."""
    parts = leaf.split(".")
    names = [".".join(parts[:end]) for end in range(1, len(parts), 2)]
    return {name: parts[2 * index + 1] for index, name in enumerate(names)}


def _drawn(space: SearchSpace, wanted: dict[str, Value]) -> Params:
    """The baseline with what is `wanted`, where its branch is taken."""

    def suggest(name: str, domain: Leaf) -> Value:
        return wanted.get(name, domain.baseline())

    return space.draw(suggest)

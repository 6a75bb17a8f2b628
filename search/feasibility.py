"""Whether each recipe of a space can be trained at all, found out before the first trial."""

from __future__ import annotations

from collections.abc import Iterator

from spaces import Choice, InputError, Int, Params, SearchSpace, Switch
from trainables.builder import network_and_strategy
from trainables.config import Fixed, TrialConfig
from trainables.material import Material
from trainables.strategies import depth_of, make_strategy


def check_space(space: SearchSpace, fixed: Fixed, material: Material) -> None:
    """Build the network of each kind of recipe once; train nothing.

    Every branch is tried with each of its parameters at both ends of its range, or at each option.

    Raises:
        InputError: A parameter that nothing reads, that the model cannot take, a value outside the law of
            what reads it, or a batch larger than the data; the sentence names both.
    """
    images = len(material.train)
    _check_batches(space, fixed, images)
    built: set[tuple[object, ...]] = set()
    for name, params in _corners(space):
        try:
            config = TrialConfig.from_params(params, fixed)
            regularisation = config.regularisation
            kind = (config.strategy.name, bool(regularisation.dropout), bool(regularisation.drop_path))
            if kind not in built:
                model, strategy = network_and_strategy(config, material)
                strategy.groups(model, config.strategy.lr)
                built.add(kind)
        except InputError as error:
            said = str(error)
            raise InputError(said if name in said else f"{name}={params[name]!r}: {said}") from None


def grace_epochs(space: SearchSpace, fixed: Fixed, material: Material) -> int:
    """Epochs before which no trial should be judged: its warm-up, and the first change of its strategy.

    An epoch of full training must lie in it too, so the first rung is at least one past both.
    """
    longest, depth = 1, 0
    for params in _branches(space):
        raised = dict(params)
        for name, domain in space.leaves().items():
            if name in raised and not isinstance(domain, Choice):
                raised[name] = domain.high
        config = TrialConfig.from_params(raised, fixed)
        if not depth:
            depth = depth_of(network_and_strategy(config, material)[0])
        strategy = make_strategy(config.strategy.name, config.strategy.options, config.epochs)
        warm = round(config.schedule.warmup * config.epochs + 0.499)
        longest = max(longest, warm + 1, strategy.first_change(depth))
    return min(longest, fixed.epochs)


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
    """Recipes in which one parameter is at an end of its range, with its name."""
    leaves = space.leaves()
    for params in _branches(space):
        yield "", params
        for name in params:
            domain = leaves[name]
            if isinstance(domain, Choice):
                if any(leaf.startswith(f"{name}.") for leaf in leaves):
                    continue  # a switch: its branches have recipes of their own
                ends = domain.options
            else:
                ends = (domain.low, domain.high)
            for value in ends:
                yield name, {**params, name: value}


def _branches(space: SearchSpace) -> list[Params]:
    """An ordinary recipe of each branch, the baseline first."""
    switches = {name for name, domain in space.parameters.items() if isinstance(domain, Switch)}
    found: dict[frozenset[object], Params] = {}
    todo: list[Params] = [space.baseline()]
    for params in todo:
        branch = frozenset([*params, *((name, params[name]) for name in switches)])
        if branch not in found:
            found[branch] = params
            todo += [other for _, other in space.neighbours(params)]
    return list(found.values())

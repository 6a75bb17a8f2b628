"""Whether each recipe of a space can be trained at all, found out before the first trial."""

from __future__ import annotations

from collections.abc import Iterator

from spaces import InputError, Int, InvalidParams, Params, SearchSpace
from trainables.builder import network_and_strategy
from trainables.config import Fixed, TrialConfig
from trainables.material import Material
from trainables.strategies import depth_of


def _corners(space: SearchSpace) -> Iterator[tuple[str, Params]]:
    """The baseline, and around each strategy's baseline one parameter changed at a time."""
    baseline = space.baseline()
    yield "", baseline
    for name, params in space.neighbours(baseline):
        yield name, params
        if name == "strategy":
            yield from space.neighbours(params)


def check_space(space: SearchSpace, fixed: Fixed, material: Material) -> None:
    """Build the network of each kind of recipe once; train nothing.

    Raises:
        InputError: A parameter that nothing reads, that the model cannot take, or a batch larger than
            the data; the sentence names both.
    """
    batch = space.leaves().get("batch_size")
    images = len(material.train)
    if isinstance(batch, Int) and batch.high > images:
        raise InputError(
            f"`batch_size <= training images` must hold, but the space goes up to {batch.high} with {images} "
            f"training images; narrow it: --set batch_size=[{min(batch.low, images)},{images}]"
        )
    seen: set[tuple[object, ...]] = set()
    for name, params in _corners(space):
        try:
            config = TrialConfig.from_params(params, fixed)
            if config.batch.size > images:
                raise InvalidParams(
                    f"`batch_size <= training images` must hold, but got {config.batch.size} with {images}"
                )
            key = (
                config.strategy.name,
                bool(config.regularisation.dropout),
                bool(config.regularisation.drop_path),
            )
            if key not in seen:
                model, strategy = network_and_strategy(config, material)
                strategy.groups(model, config.strategy.lr)
                seen.add(key)
        except InvalidParams as error:
            raise InputError(
                f"{name or 'baseline'}: {error}" if name not in str(error) else str(error)
            ) from None


def grace_epochs(space: SearchSpace, fixed: Fixed, material: Material) -> int:
    """Epochs before which no trial should be judged: its warm-up, and the first change of its strategy.

    An epoch of full training must lie in it too, so the first rung is at least one past both.
    """
    longest = 1
    depth: int | None = None
    for _, params in _extremes(space):
        config = TrialConfig.from_params(params, fixed)
        model, strategy = network_and_strategy(config, material) if depth is None else (None, None)
        if model is not None:
            depth = depth_of(model)
        if strategy is None:
            from trainables.strategies import make_strategy

            strategy = make_strategy(config.strategy.name, config.strategy.options, config.epochs)
        warm = round(config.schedule.warmup * config.epochs + 0.499)
        longest = max(longest, warm + 1, strategy.first_change(depth or 1))
    return min(longest, fixed.epochs)


def _extremes(space: SearchSpace) -> Iterator[tuple[str, Params]]:
    """Each strategy's recipe with each of its numbers at its largest."""
    for params in [
        space.baseline(),
        *(p for name, p in space.neighbours(space.baseline()) if name == "strategy"),
    ]:
        raised = dict(params)
        for name, domain in space.leaves().items():
            if name in raised and hasattr(domain, "high"):
                raised[name] = domain.high
        yield "", raised

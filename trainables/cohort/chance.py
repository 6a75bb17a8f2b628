"""Dropout and stochastic depth in a batched pass: each trial at its own rate, drawn from its own random numbers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from timm.layers import DropPath
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from trainables.models.stochastic_depth import replace_paths

RATES = {"p", "drop_prob", "drop_rate"}
"""Attributes that hold a rate: of torch's dropout, of timm's stochastic depth, of timm's networks themselves."""
FIRST, STEP = 0.25, 2.0**-20
"""A rate that stands for a place: exact as a float, and no rate that anybody would choose."""


class Place:
    """One place of a network where something is dropped.

    Args:
        name: Of the module.
        rate: The module's attribute that holds the rate.
        whole: Whether an image's features are dropped as one, which is stochastic depth, or one by one.
        scaled: Whether what is kept is made larger by what is dropped.
    """

    def __init__(self, name: str, rate: str, *, whole: bool, scaled: bool) -> None:
        self.name, self.rate, self.whole, self.scaled = name, rate, whole, scaled
        self.rates: list[float] = []
        self.generators: Sequence[torch.Generator] = ()

    def drop(self, x: Tensor) -> Tensor:
        """What is left of features [trials, B, …]."""
        if not any(self.rates):
            return x
        shape = (x.shape[1], *(1,) * (x.ndim - 2)) if self.whole else x.shape[1:]
        factors = []
        for one, rate, generator in zip(x, self.rates, self.generators, strict=True):
            factor = one.new_empty(shape) if self.whole else torch.empty_like(one)
            factor.bernoulli_(1 - rate, generator=generator)
            factors.append(factor.div_(1 - rate) if self.scaled and rate < 1 else factor)
        return x * torch.stack(factors)


class _Dropped(torch.autograd.Function):
    """Inside `torch.vmap` a function sees one trial; this sees them all."""

    @staticmethod
    def forward(x: Tensor, place: Place) -> Tensor:
        raise AssertionError("features must be those of all trials, but are those of one")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing to keep: `vmap` below is made of operations that know their own gradients."""

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], x: Tensor, place: Place) -> tuple[Tensor, int]:
        assert in_dims[0] is not None
        return place.drop(x.movedim(in_dims[0], 0)), 0


class _Path(nn.Module):
    """In the place of stochastic depth."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place

    def forward(self, x: Tensor) -> Tensor:
        """What is left of `x`."""
        return _dropped(x, self.place) if self.training else x


class Chance(TorchFunctionMode):
    """A network's places of chance; as a context it answers the calls that would draw.

    Args:
        model: The network, changed here: what it holds as rates says where, from now on, and no longer how much.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._places: list[Place] = []
        self._known: dict[float, Place] = {}

        def path(name: str, module: DropPath) -> nn.Module:
            return _Path(self._add(name, "drop_prob", whole=True, scaled=module.scale_by_keep))

        replace_paths(model, path)
        for name, module in model.named_modules():
            for rate in ("p", "drop_rate"):
                if rate == "p" and type(module) is not nn.Dropout:
                    continue
                value = getattr(module, rate, 0.0)
                if isinstance(value, (int, float)) and value:
                    place = self._add(name, rate, whole=False, scaled=True)
                    code = FIRST + STEP * (1 + len(self._known))
                    self._known[code] = place
                    setattr(module, rate, code)

    def _add(self, name: str, rate: str, *, whole: bool, scaled: bool) -> Place:
        place = Place(name, rate, whole=whole, scaled=scaled)
        self._places.append(place)
        return place

    @property
    def is_drawn(self) -> bool:
        """Whether the network draws anything."""
        return bool(self._places)

    def set(self, models: Sequence[nn.Module], generators: Sequence[torch.Generator]) -> None:
        """Whose rates hold for the next pass, and whose random numbers."""
        for place in self._places:
            place.rates = [float(getattr(model.get_submodule(place.name), place.rate)) for model in models]
            place.generators = generators

    def switch_off(self, models: Sequence[nn.Module]) -> None:
        """In the next pass nothing is dropped, nor by these networks themselves, which are copies."""
        for place in self._places:
            place.rates = [0.0] * len(models)
            for model in models:
                setattr(model.get_submodule(place.name), place.rate, 0.0)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Dropout is drawn trial by trial; all else is as it is."""
        kwargs = kwargs or {}
        if func is not functional.dropout:
            return func(*args, **kwargs)
        return self._dropout(*args, **kwargs)

    def _dropout(self, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if not training or not p:
            return x
        if p not in self._known:
            raise RuntimeError(f"a network's rates of dropout must be those of its modules, but got {p}")
        return _dropped(x, self._known[p])


def _dropped(x: Tensor, place: Place) -> Tensor:
    left: Tensor = _Dropped.apply(x, place)
    return left


def template(model: nn.Module) -> tuple[nn.Module, Chance]:
    """A copy of `model` without weights, to be called with those of several, and its places of chance."""
    copied = copy.deepcopy(model).to("meta")
    return copied, Chance(copied)

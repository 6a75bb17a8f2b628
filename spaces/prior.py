"""What is believed of a parameter before anything is tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spaces import numbers
from spaces.errors import InvalidSpace, known_names, shown

SPREAD = 0.25
"""A belief that says where, but not how surely."""


@dataclass(frozen=True, slots=True)
class Prior:
    """Good values of a number are believed to lie around `center`: a normal distribution, cut at the ends.

    Args:
        center: The likeliest value, in the domain.
        spread: Standard deviation as a share of the range (of its logarithm, where the parameter has `log`), in
            (0, 1].

    Raises:
        InvalidSpace: A field breaks one of these laws.

    Source: Hvarfner et al., πBO, ICLR 2022; Mallik et al., PriorBand, NeurIPS 2023.
    """

    center: float
    spread: float = SPREAD

    def __post_init__(self) -> None:
        numbers.finite("center", self.center)
        if not numbers.is_finite(self.spread) or not 0 < self.spread <= 1:
            raise InvalidSpace(f"`spread` must be in (0, 1], but got {shown(self.spread)}")


def read_prior(value: object) -> Prior:
    """A prior as a file says it: the likeliest value, or a mapping of `center` and `spread`.

    Raises:
        InvalidSpace: It is neither.
    """
    if isinstance(value, Prior):
        return value
    if not isinstance(value, Mapping):
        return Prior(numbers.finite("prior", value))
    allowed = ("center", "spread")
    for key in value:
        if key not in allowed:
            raise InvalidSpace(f"a prior has no {shown(key)}{known_names(key, allowed)}")
    if "center" not in value:
        raise InvalidSpace(f"a prior must have a `center`, but got {shown(dict(value))}")
    return Prior(**value)


def read_weights(value: Any) -> Any:
    """A choice's prior as a file says it: a mapping of options to weights, or pairs of them.

    What is neither comes back as it is; the choice has the sentence for it.
    """
    pairs = isinstance(value, (list, tuple)) and all(
        isinstance(p, (list, tuple)) and len(p) == 2 for p in value
    )
    return dict(value) if pairs and isinstance(value, (list, tuple)) else value


def written_prior(prior: Prior) -> object:
    """The inverse of `read_prior`."""
    return prior.center if prior.spread == SPREAD else {"center": prior.center, "spread": prior.spread}

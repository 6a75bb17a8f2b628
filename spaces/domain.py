"""What one parameter may be: a leaf, which is one question, or a switch, which brings more questions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

from spaces.errors import InvalidSpace, shown
from spaces.frozen import FrozenMapping
from spaces.leaf import Choice, Float, Int, Leaf, Value
from spaces.prior import Prior

if TYPE_CHECKING:
    from spaces.space import SearchSpace

__all__ = ["Choice", "Domain", "Float", "Int", "Leaf", "Params", "Prior", "Switch", "Value"]

Params: TypeAlias = Mapping[str, Value]
"""Qualified names to values, as `SearchSpace.draw` gives them."""


@dataclass(frozen=True, slots=True)
class Switch:
    """A choice that brings parameters of its own: a tagged union, and the only conditional there is.

    Args:
        branches: Each option's name, and the space (which may be empty) that holds where it is taken.
        default: The baseline's branch; none takes the first.
        prior: How much likelier than the others some branches are believed to be good; see `Choice`.

    Raises:
        InvalidSpace: No branch, a name that is no identifier, an unknown default or a prior that is none.
    """

    branches: Mapping[str, SearchSpace]
    default: str | None = None
    prior: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        from spaces.space import SearchSpace, check_name  # a space has switches, a switch has spaces

        if not isinstance(self.branches, Mapping) or not self.branches:
            raise InvalidSpace(f"`switch` must have at least one branch, but got {shown(self.branches)}")
        for name, branch in self.branches.items():
            check_name(name)
            if not isinstance(branch, SearchSpace):
                raise InvalidSpace(f"branch {name!r} must be a SearchSpace, but got {shown(branch)}")
        object.__setattr__(self, "branches", FrozenMapping(self.branches))
        if self.prior is not None:
            object.__setattr__(self, "prior", self.choice.prior)
        self.choice  # noqa: B018 - its laws cover the default

    @property
    def choice(self) -> Choice:
        """The choice between the branches' names."""
        return Choice(tuple(self.branches), self.default, cast("Mapping[Value, float] | None", self.prior))


Domain: TypeAlias = Leaf | Switch
"""What a parameter of a space is."""

"""A search space: parameters by name, drawn in one way only."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from spaces.domain import Choice, Domain, Float, Int, Leaf, Params, Switch, Value
from spaces.errors import InvalidParams, InvalidSpace, known_names, shown
from spaces.frozen import FrozenMapping
from spaces.suggest import Suggest, fixed_suggest

NAME = re.compile(r"[a-z][a-z0-9_]*")
"""Names of parameters and branches. Dots qualify; Ray un-flattens what has a slash."""


def check_name(name: object) -> None:
    """Whether `name` can be a parameter's or a branch's.

    Raises:
        InvalidSpace: It cannot; the pattern is named.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidSpace(f"a name must match {NAME.pattern}, but got {shown(name)}")


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """What may vary.

    Names are identifiers. A parameter of a branch is called ``switch.branch.name``, so one name
    means one distribution, for ever. Two spaces are equal if their parameters are.

    Args:
        parameters: Name → domain, in the order in which they are drawn.
        name: For people.
        description: For people.

    Raises:
        InvalidSpace: A name that is none, or a value that is no domain.
    """

    parameters: Mapping[str, Domain]
    name: str = field(default="", compare=False)
    description: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.parameters, Mapping):
            raise InvalidSpace(f"`parameters` must be a mapping, but got {shown(self.parameters)}")
        for name, domain in self.parameters.items():
            check_name(name)
            if not isinstance(domain, (Float, Int, Choice, Switch)):
                raise InvalidSpace(f"{name} must be a Float, Int, Choice or Switch, but got {shown(domain)}")
        object.__setattr__(self, "parameters", FrozenMapping(self.parameters))

    def draw(self, suggest: Suggest) -> dict[str, Value]:
        """Ask `suggest` for each parameter; the only way a recipe comes out of a space.

        A switch asks for its branch first, then for that branch's parameters.

        Args:
            suggest: Given a qualified name and its domain, answers with a value.

        Returns:
            Qualified name → value, of the branches taken only.

        Raises:
            InvalidParams: `suggest` answered with a value outside the domain.
        """
        params: dict[str, Value] = {}
        self._draw(suggest, "", params)
        return params

    def _draw(self, suggest: Suggest, prefix: str, params: dict[str, Value]) -> None:
        for name, domain in self.parameters.items():
            qualified = prefix + name
            leaf = domain.choice if isinstance(domain, Switch) else domain
            value = suggest(qualified, leaf)
            leaf.check(qualified, value)
            params[qualified] = value
            if isinstance(domain, Switch):
                domain.branches[str(value)]._draw(suggest, f"{qualified}.{value}.", params)

    def check(self, params: Params) -> None:
        """Whether `params` is a recipe of this space.

        Raises:
            InvalidParams: A parameter is unknown, missing, outside its domain, or of a branch not taken.
        """
        if not isinstance(params, Mapping):
            raise InvalidParams(f"parameters must be a mapping of names to values, but got {shown(params)}")
        leaves = self.leaves()
        for name in params:
            if name not in leaves:
                raise InvalidParams(f"there is no parameter {shown(name)}{known_names(name, leaves)}")
        taken = self.draw(fixed_suggest(params))
        for name in params:
            if name not in taken:
                switch = next(key for key in reversed(taken) if name.startswith(f"{key}."))
                raise InvalidParams(f"`{name}` must not be given where {switch} is {taken[switch]!r}")

    def baseline(self) -> dict[str, Value]:
        """The ordinary recipe, the one to beat: every domain's default."""
        return self.draw(lambda name, domain: domain.baseline())

    def neighbours(self, params: Params) -> Iterator[tuple[str, dict[str, Value]]]:
        """Recipes that differ from `params` in one parameter, with its name.

        A switch's neighbours take another branch, with that branch's ordinary values.

        Raises:
            InvalidParams: `params` is no recipe of this space.
        """
        self.check(params)
        leaves = self.leaves()
        for changed in self.draw(fixed_suggest(params)):
            for value in leaves[changed].neighbours(params[changed]):
                moved = {**params, changed: value}
                # What a branch left behind is never asked for, what one taken needs was never given.
                yield (
                    changed,
                    self.draw(
                        lambda name, domain, moved=moved: moved[name] if name in moved else domain.baseline()
                    ),
                )

    def leaves(self) -> dict[str, Leaf]:
        """Every qualified name of every branch, switches as choices, in order."""
        found: dict[str, Leaf] = {}
        for name, domain in self.parameters.items():
            if isinstance(domain, Switch):
                found[name] = domain.choice
                for branch, inner in domain.branches.items():
                    found |= {f"{name}.{branch}.{key}": leaf for key, leaf in inner.leaves().items()}
            else:
                found[name] = domain
        return found

    def narrow(self, changes: Mapping[str, object]) -> SearchSpace:
        """The space with `changes`, by qualified name: see `spaces.narrow.narrow`.

        Raises:
            InvalidSpace: An unknown name, or a change that makes no sense.
        """
        from spaces.narrow import narrow

        return narrow(self, changes)

    def to_dict(self) -> dict[str, object]:
        """The space as plain data that JSON can carry; `space_from_dict` is the inverse."""
        from spaces.written import written

        return written(self)

    def digest(self) -> str:
        """A short hash of what the parameters may be.

        The order of options counts (samplers tell them apart by it). Descriptions, defaults and the
        order of parameters do not.

        Returns:
            Sixteen hexadecimal digits, the same in every process.
        """
        meaning = {name: _meaning(leaf) for name, leaf in self.leaves().items()}
        text = json.dumps(meaning, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _meaning(leaf: Leaf) -> list[object]:
    if isinstance(leaf, Choice):
        return ["choice", *leaf.options]
    return [type(leaf).__name__.lower(), leaf.low, leaf.high, leaf.log, leaf.step]

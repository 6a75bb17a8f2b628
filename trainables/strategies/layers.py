"""The layers of a network from stem to head, as timm groups them, and how to freeze them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from timm.models import group_parameters
from torch import nn

from spaces import InputError
from trainables.strategies.strategy import ParamGroup


def layer_ids(model: nn.Module) -> dict[str, int]:
    """Parameter name → layer number: 0 is the stem, the largest is the head.

    Raises:
        InputError: The architecture does not say how its layers are grouped (`group_matcher`).
    """
    matcher = getattr(model, "group_matcher", None)
    if matcher is None:
        raise InputError(
            "layer-wise strategies need a model that knows its layers (timm's `group_matcher`), "
            f"but {type(model).__name__} has none"
        )
    ids: dict[str, int] = group_parameters(model, matcher(coarse=False), reverse=True)
    return ids


def depth_of(model: nn.Module) -> int:
    """How many layers `layer_ids` counts, the head included."""
    return max(layer_ids(model).values()) + 1


def head_names(model: nn.Module) -> set[str]:
    """Names of the classifier's parameters.

    Raises:
        InputError: The architecture has no classifier that timm knows (`get_classifier`).
    """
    get_classifier = getattr(model, "get_classifier", None)
    if get_classifier is None:
        raise InputError(
            f"fine-tuning needs a model with timm's `get_classifier`, but {type(model).__name__} has none"
        )
    heads = get_classifier()
    members = heads if isinstance(heads, (tuple, list)) else (heads,)
    ids = {id(parameter) for head in members for parameter in head.parameters()}
    return {name for name, parameter in model.named_parameters() if id(parameter) in ids}


def geometric_rates(lr: float, ratio: float, depth: int) -> Callable[[int], float]:
    """Layer number → learning rate: `lr` at the top, ``lr · ratio`` at the bottom, geometric between.

    This is layer-wise decay (Clark et al., ELECTRA, 2020; Bao et al., BEiT, 2022) with γ derived
    from the depth, ``γ = ratio ** (1 / (depth - 1))``, since the same γ means a quarter of the rate
    at the bottom of one architecture and nothing at all at the bottom of another.
    """
    gamma = ratio ** (1.0 / max(1, depth - 1))
    return lambda layer: lr * gamma ** (depth - 1 - layer)


def grouped(
    model: nn.Module, label: Callable[[str], str], rates: Mapping[str, float] | Callable[[str], float]
) -> list[ParamGroup]:
    """The parameters that require gradients, grouped by `label` and by whether weight decay applies.

    Args:
        model: The network.
        label: Parameter name → name of its group.
        rates: Group name → learning rate.
    """
    rate = rates if callable(rates) else rates.__getitem__
    spared: set[str] = set(getattr(model, "no_weight_decay", set)())
    members: defaultdict[tuple[str, bool], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            members[label(name), parameter.ndim > 1 and name not in spared].append(parameter)
    return [
        ParamGroup(group, tuple(parameters), rate(group), decays)
        for (group, decays), parameters in members.items()
    ]


def set_modes(model: nn.Module) -> None:
    """Training mode where something learns, evaluation mode where all is frozen.

    A frozen BatchNorm must not go on collecting statistics, nor frozen blocks drop anything.
    Modules without parameters (the dropout before a head) follow the part they belong to.
    """

    def visit(module: nn.Module) -> None:
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()
            return
        for child in module.children():
            visit(child)

    model.train()
    visit(model)

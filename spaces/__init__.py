"""What may vary: domains, spaces and the presets. Standard library, pydantic and YAML only."""

from spaces.domain import Choice, Domain, Float, Int, Leaf, Params, Prior, Switch, Value
from spaces.errors import InputError, InvalidParams, InvalidSpace
from spaces.load import load_space, preset_names, preset_path
from spaces.locate import locate
from spaces.space import SearchSpace
from spaces.suggest import Suggest, fixed_suggest, random_suggest
from spaces.written import space_from_dict

__all__ = [
    "Choice",
    "Domain",
    "Float",
    "InputError",
    "Int",
    "InvalidParams",
    "InvalidSpace",
    "Leaf",
    "Params",
    "Prior",
    "SearchSpace",
    "Suggest",
    "Switch",
    "Value",
    "fixed_suggest",
    "load_space",
    "locate",
    "preset_names",
    "preset_path",
    "random_suggest",
    "space_from_dict",
]

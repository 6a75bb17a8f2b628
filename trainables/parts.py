"""The parts of a recipe that can be exchanged, by the names that spaces use. Nothing is imported until it is used.

A part is a small frozen class of its own file; its fields are its options, with their laws and defaults.
A space chooses among the parts of one kind with a parameter of the kind's name and sets an option as
``<kind>.<part>.<option>``: ``optimizer`` and ``optimizer.sgd.momentum``. To add a part, write its class
and name it here; everything else follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from spaces import InvalidParams, Params, Value, locate
from spaces.errors import known_names
from spaces.laws import broken_law

PARTS: Mapping[str, Mapping[str, str]] = {
    "strategy": {
        "feature_extraction": "trainables.strategies.feature_extraction:FeatureExtraction",
        "full": "trainables.strategies.full:Full",
        "layer_decay": "trainables.strategies.layer_decay:LayerDecay",
        "differential": "trainables.strategies.differential:Differential",
        "partial": "trainables.strategies.partial:Partial",
        "gradual_unfreezing": "trainables.strategies.gradual_unfreezing:GradualUnfreezing",
        "probe_then_finetune": "trainables.strategies.probe_then_finetune:ProbeThenFinetune",
        "scratch": "trainables.strategies.full:Full",
    },
    "optimizer": {
        "adamw": "trainables.optimizers.adam:AdamW",
        "adam": "trainables.optimizers.adam:Adam",
        "nadam": "trainables.optimizers.adam:NAdam",
        "adamp": "trainables.optimizers.adam:AdamP",
        "sgd": "trainables.optimizers.sgd:SGD",
        "adagrad": "trainables.optimizers.adagrad:Adagrad",
        "rmsprop": "trainables.optimizers.rmsprop:RMSprop",
        "lion": "trainables.optimizers.lion:Lion",
        "lamb": "trainables.optimizers.lamb:Lamb",
        "muon": "trainables.optimizers.muon:Muon",
        "schedule_free": "trainables.optimizers.schedule_free:ScheduleFree",
    },
    "schedule": {
        "constant": "trainables.schedules.constant:Constant",
        "linear": "trainables.schedules.linear:Linear",
        "cosine": "trainables.schedules.cosine:Cosine",
        "cosine_restarts": "trainables.schedules.cosine:CosineRestarts",
        "step": "trainables.schedules.step:Step",
        "exponential": "trainables.schedules.exponential:Exponential",
        "one_cycle": "trainables.schedules.cycles:OneCycle",
        "cyclical": "trainables.schedules.cycles:Cyclical",
        "stable_decay": "trainables.schedules.stable_decay:StableDecay",
        "plateau": "trainables.schedules.plateau:Plateau",
    },
    "loss": {
        "cross_entropy": "trainables.losses.cross_entropy:CrossEntropy",
        "focal": "trainables.losses.focal:Focal",
    },
    "class_weights": {
        "none": "trainables.class_weights:NoWeights",
        "inverse": "trainables.class_weights:Inverse",
        "effective": "trainables.class_weights:Effective",
    },
    "sampling": {
        "shuffled": "trainables.sampling:Shuffled",
        "balanced": "trainables.sampling:Balanced",
    },
    "augmentation": {
        "standard": "trainables.augmentation.standard:Standard",
        "trivial_augment": "trainables.augmentation.trivial_augment:TrivialAugment",
        "rand_augment": "trainables.augmentation.rand_augment:RandAugment",
        "auto_augment": "trainables.augmentation.auto_augment:AutoAugment",
    },
    "curriculum": {
        "constant": "trainables.augmentation.curriculum:ConstantStrength",
        "linear": "trainables.augmentation.curriculum:LinearStrength",
        "cosine": "trainables.augmentation.curriculum:CosineStrength",
        "step": "trainables.augmentation.curriculum:StepStrength",
    },
    "mixing": {
        "none": "trainables.augmentation.mixing:NoMixing",
        "mixup": "trainables.augmentation.mixing:Mixup",
        "cutmix": "trainables.augmentation.mixing:CutMix",
        "mixup_or_cutmix": "trainables.augmentation.mixing:MixupOrCutMix",
    },
    "clipping": {
        "none": "trainables.clipping:NoClipping",
        "norm": "trainables.clipping:ClipNorm",
        "value": "trainables.clipping:ClipValue",
        "adaptive": "trainables.clipping:ClipAdaptively",
    },
    "sharpness": {
        "none": "trainables.sharpness:Plain",
        "sam": "trainables.sharpness:SAM",
    },
    "transfer": {
        "none": "trainables.transfer.none:NoTransfer",
        "l2_sp": "trainables.transfer.l2_sp:L2SP",
        "delta": "trainables.transfer.delta:Delta",
        "bss": "trainables.transfer.bss:BSS",
        "co_tuning": "trainables.transfer.co_tuning:CoTuning",
    },
    "batchnorm": {
        "as_built": "trainables.batchnorm.choice:AsBuilt",
        "momentum": "trainables.batchnorm.momentum:Momentum",
        "re_estimated": "trainables.batchnorm.re_estimated:ReEstimated",
        "frozen": "trainables.batchnorm.frozen:Frozen",
        "stochastic": "trainables.batchnorm.stochastic:Stochastic",
    },
    "stopping": {
        "never": "trainables.stopping:Never",
        "patience": "trainables.stopping:Patience",
    },
}
"""Kind → name → where the class lives."""


class Part(BaseModel):
    """Base of all parts: frozen, its fields checked once, nothing else accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class PartConfig:
    """Which part of a kind, and those of its options that are not at their defaults."""

    kind: str
    name: str
    options: Mapping[str, Value] = field(default_factory=dict)

    def make(self, **more: Any) -> Any:
        """The part itself.

        Args:
            **more: What the part takes besides what can be chosen (a strategy's budget, say).

        Raises:
            InvalidParams: There is no such part, it has no such option, or a value breaks its law.
        """
        cls = part_class(self)
        try:
            return cls.model_validate({**self.options, **more})
        except ValidationError as error:
            said = broken_law(error, [name for name in cls.model_fields if name not in more])[1]
            said = said.replace("there is no setting", f"{self.kind} {self.name!r} has no option")
            raise InvalidParams(said if "no option" in said else f"{self.kind}.{self.name}: {said}") from None


def part_class(config: PartConfig) -> type[Part]:
    """The class of the part that `config` names.

    Raises:
        InvalidParams: There is none, or it is no `Part`.
    """
    cls = locate(part_place(config.kind, config.name))
    if not (isinstance(cls, type) and issubclass(cls, Part)):
        raise InvalidParams(f"{config.kind} {config.name!r} must be a trainables.parts.Part, but is {cls!r}")
    return cls


def part_place(kind: str, name: object) -> str:
    """Where the class of a part lives: one of `PARTS`, or a user's own as ``package.module:Class``.

    Raises:
        InvalidParams: There is none of that name; the closest is named.
    """
    known = PARTS[kind]
    if isinstance(name, str) and name in known:
        return known[name]
    if isinstance(name, str) and ":" in name:
        return name
    raise InvalidParams(
        f"`{kind}` must be one of {', '.join(known)}, but got {name!r}{known_names(name, known)}"
    )


def choose_part(kind: str, chosen: object, params: Params) -> PartConfig:
    """The part of `kind` called `chosen`, with the options that `params` has for it.

    Args:
        kind: A key of `PARTS`.
        chosen: The part's name.
        params: Options as ``<kind>.<part>.<option>``; other names are passed over.

    Raises:
        InvalidParams: There is no such part, or an option of another part of its kind is given.
    """
    part_place(kind, chosen)
    name = str(chosen)
    options: dict[str, Value] = {}
    for key, value in params.items():
        if not key.startswith(f"{kind}."):
            continue
        rest = key.removeprefix(f"{kind}.")
        own = rest.startswith(f"{name}.")  # whose name may have dots itself: package.module:Class
        branch, _, option = (name, "", rest[len(name) + 1 :]) if own else rest.partition(".")
        if branch != name:
            raise InvalidParams(f"{kind} is {name!r}, so {key!r} must not be given")
        options[option] = value
    return PartConfig(kind, name, options)

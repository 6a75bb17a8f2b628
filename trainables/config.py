"""One trial's configuration: frozen, nested, validated once. Only the builder reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from spaces import InvalidParams, Params, Value
from spaces.laws import broken_law

Share = Annotated[float, Field(ge=0, lt=1)]


class Fixed(BaseModel):
    """What a study holds constant, in the units that its user thinks in.

    The fields from `batch_size` on are also names of parameters: a space that searches one of
    them overrides the value given here.

    Args:
        model: A built-in backbone (``glyphs``) or the name of a timm architecture.
        pretrained: Start from pretrained weights: the model's own (true), none (false), or those of
            a safetensors or PyTorch file (a path).
        model_args: Further arguments of the architecture, as timm takes them (``pad_type: same``).
        mean: Per channel, in [0, 1]: what the weights of a file were trained with; none takes what the
            model's own weights say, else the training images' own.
        std: Likewise.
        image_size: Side of the square input, pixels; none takes what data set and model suggest.
        epochs: The full budget of a trial, and the horizon of its schedule.
        repeats: How often an epoch passes over the training images (each time augmented anew); none
            takes what the data set suggests.
        precision: ``fp32``, ``bf16``, ``fp16`` or ``auto`` (measured once a study).
        device: ``cpu``, ``cuda`` or ``auto``.
        micro_batch: Most images in one forward pass; none means the whole batch. What is larger is
            split and its gradients accumulated, which is the gradient of the whole batch but for
            BatchNorm, which sees the parts, and for the random draws of augmentation and dropout.
        batch_size: Images a step of the optimizer sees.
        optimizer: ``adamw`` or ``sgd`` (momentum 0.9, Nesterov).
        weight_decay: Decoupled for AdamW; never on biases and norms.
        dropout: Before the classifier, in [0, 1).
        drop_path: Stochastic depth, in [0, 1).
        augmentation_strength: 0 (none) to 1 (as strong as still keeps labels true).
        label_smoothing: In [0, 1).
        schedule: ``cosine`` or ``constant``, after the warm-up.
        warmup_epochs: Linear warm-up, in epochs.
        clip_norm: Gradients longer than this are scaled down to it; 0 leaves them.
        ema_decay: Exponential moving average of weights and buffers, in [0, 1); 0 is off.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: str = "glyphs"
    pretrained: bool | str = True
    model_args: dict[str, str | int | float | bool] = Field(default_factory=dict)
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    image_size: int | None = Field(default=None, ge=8, le=4096)
    epochs: int = Field(default=27, ge=1)
    repeats: int | None = Field(default=None, ge=1)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    micro_batch: int | None = Field(default=None, ge=1)

    batch_size: int = Field(default=32, ge=1)
    optimizer: Literal["adamw", "sgd"] = "adamw"
    weight_decay: float = Field(default=1e-3, ge=0)
    dropout: Share = 0.0
    drop_path: Share = 0.0
    augmentation_strength: float = Field(default=0.3, ge=0, le=1)
    label_smoothing: Share = 0.0
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_epochs: float = Field(default=1.0, ge=0)
    clip_norm: float = Field(default=1.0, ge=0)
    ema_decay: Share = 0.0

    @model_validator(mode="after")
    def _warmup_ends_before_training_does(self) -> Fixed:
        if self.warmup_epochs >= self.epochs and self.warmup_epochs > 0:
            raise ValueError(
                f"`warmup_epochs < epochs` must hold, but got warmup_epochs={self.warmup_epochs:g}, "
                f"epochs={self.epochs}"
            )
        return self


KNOBS = tuple(list(Fixed.model_fields)[list(Fixed.model_fields).index("batch_size") :])
"""Names of parameters outside of a strategy that reach a trial."""


@dataclass(frozen=True)
class StrategyConfig:
    """Which strategy, its learning rate for the top of the network, and its own options."""

    name: str
    lr: float
    options: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class OptimizerConfig:
    """How gradients become steps."""

    name: str
    weight_decay: float
    clip_norm: float


@dataclass(frozen=True)
class ScheduleConfig:
    """The learning rate over the full budget; the warm-up as a share of it, in [0, 1)."""

    name: str
    warmup: float


@dataclass(frozen=True)
class RegularisationConfig:
    """What keeps a network from learning its training images by heart."""

    dropout: float
    drop_path: float
    label_smoothing: float
    augmentation_strength: float
    ema_decay: float


@dataclass(frozen=True)
class BatchConfig:
    """Effective batch, the most images of one forward pass, and passes over the images an epoch."""

    size: int
    micro: int
    repeats: int | None


@dataclass(frozen=True)
class NumericsConfig:
    """Where and in which arithmetic."""

    precision: str
    device: str


@dataclass(frozen=True)
class TrialConfig:
    """One trial, whole. `from_params` is the only way from a study's parameters to it."""

    model: str
    pretrained: bool | str
    epochs: int
    seed: int
    strategy: StrategyConfig
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    regularisation: RegularisationConfig
    batch: BatchConfig
    numerics: NumericsConfig

    @classmethod
    def from_params(cls, params: Params, fixed: Fixed, seed: int = 0) -> TrialConfig:
        """The trial that `params` (searched) and `fixed` (held constant) make together.

        Args:
            params: Names as a space draws them: knobs of `Fixed` by their own name, the strategy as
                ``strategy`` and its options as ``strategy.<name>.<option>``.
            fixed: The study's constants.
            seed: Seed of this trial.

        Raises:
            InvalidParams: A name that no part of the training reads, or a value outside its law.
        """
        knobs = {name: value for name, value in params.items() if not name.startswith("strategy")}
        unknown = sorted(set(knobs) - set(KNOBS))
        if unknown:
            raise InvalidParams(
                f"every searched parameter must reach the training, but {unknown[0]!r} is read by nothing; "
                f"known: strategy, {', '.join(KNOBS)}"
            )
        try:
            settled = Fixed.model_validate({**fixed.model_dump(), **knobs})
        except ValidationError as error:
            raise InvalidParams(broken_law(error, Fixed.model_fields)[1]) from None
        return cls(
            model=settled.model,
            pretrained=settled.pretrained,
            epochs=settled.epochs,
            seed=seed,
            strategy=_strategy(params),
            optimizer=OptimizerConfig(settled.optimizer, settled.weight_decay, settled.clip_norm),
            schedule=ScheduleConfig(settled.schedule, settled.warmup_epochs / settled.epochs),
            regularisation=RegularisationConfig(
                dropout=settled.dropout,
                drop_path=settled.drop_path,
                label_smoothing=settled.label_smoothing,
                augmentation_strength=settled.augmentation_strength,
                ema_decay=settled.ema_decay,
            ),
            batch=BatchConfig(
                size=settled.batch_size,
                micro=min(settled.micro_batch or settled.batch_size, settled.batch_size),
                repeats=settled.repeats,
            ),
            numerics=NumericsConfig(settled.precision, settled.device),
        )


def _strategy(params: Params) -> StrategyConfig:
    name = params.get("strategy")
    if not isinstance(name, str):
        raise InvalidParams(f"`strategy` must name a fine-tuning strategy, but got {name!r}")
    prefix = f"strategy.{name}."
    options: dict[str, Value] = {}
    for key, value in params.items():
        if key == "strategy":
            continue
        if key.startswith(prefix):
            options[key.removeprefix(prefix)] = value
        elif key.startswith("strategy"):
            raise InvalidParams(f"strategy is {name!r}, so {key!r} must not be given")
    for key, value in options.items():
        if isinstance(value, (str, bool)):
            raise InvalidParams(f"{prefix}{key} must be a number, but got {value!r}")
    numbers = {key: float(value) for key, value in options.items()}
    lr = numbers.pop("lr", None)
    if lr is None or not 0 <= lr < float("inf"):
        raise InvalidParams(f"`0 <= {prefix}lr` must hold and be finite, but got {lr}")
    return StrategyConfig(name, lr, numbers)

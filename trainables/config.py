"""One trial's configuration: frozen, nested, validated once. Only the builder reads it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from spaces import InvalidParams, Params, Value
from spaces.errors import known_names
from spaces.laws import broken_law
from trainables.data.choices import SHARE, Fit, Interpolation
from trainables.data.invariances import Invariances
from trainables.memory_format import AS_USUAL
from trainables.parts import PARTS, PartConfig, choose_part, part_place

Share = Annotated[float, Field(ge=0, lt=1)]


class Fixed(BaseModel):
    """What a study holds constant, in the units that its user thinks in.

    The fields from `batch_size` on are also names of parameters: a space that searches one of
    them overrides the value given here. Those that name a part (`optimizer`, `schedule`, …) take a
    name of `trainables.parts.PARTS`, or a class of one's own as ``package.module:Class``.

    Args:
        model: A built-in backbone (``glyphs``) or the name of a timm architecture.
        pretrained: Start from pretrained weights: the model's own (true), none (false), or those of
            a safetensors or PyTorch file (a path).
        model_args: Further arguments of the architecture, as timm takes them (``pad_type: same``).
        mean: Per channel, in [0, 1]: what the weights of a file were trained with; none takes what the
            model's own weights say, else the training images' own.
        std: Likewise.
        image_size: Side of the square input, pixels; none takes what data set and model suggest.
        channels: Of the input: 1 turns colour into grey, 3 grey into colour, 4 keeps what is see-through, more
            are those of arrays. Data sets that are arrays already keep theirs.
        fit: How a rectangular picture becomes square: its middle (``crop``), all of it in another shape
            (``squash``), or all of it between black bars (``pad``).
        crop_pct: Share of the stored picture's side that the network sees, in (0, 1]: training cuts it from
            anywhere, evaluation from the middle. None takes what the model's weights say, else 0.875; data
            sets that are arrays already have no margin unless this is set.
        interpolation: Between pixels when pictures are resized; none takes what the model's weights say,
            else bicubic.
        window: The values that become black and white, for pictures of 16 bits that use part of their range;
            none for all that the file's number format can hold.
        val_share: Of the images for validation, in (0, 1), where the data set has no such split of its own.
        test_share: Of the images for the test, in (0, 1), likewise.
        duplicates: ``apart`` keeps near-duplicates on one side of every split (of splits that the data set
            gives, the copies that would be learnt from are left out); ``as_given`` does not look.
        invariances: Which changes keep labels true, where the data set's own word is wrong: ``horizontal_flip``,
            ``vertical_flip``, ``colour``, ``crop`` (true or false), ``rotation`` (degrees).
        epochs: The full budget of a trial, and the horizon of its schedule.
        repeats: How often an epoch passes over the training images (each time augmented anew); none
            takes what the data set suggests.
        precision: ``fp32``, ``bf16``, ``fp16`` or ``auto`` (measured once a study).
        memory_format: The order in which images and weights of convolutions lie in memory: ``channels_last``,
            ``channels_first`` or ``auto`` (measured once a study).
        device: ``cpu``, ``cuda`` or ``auto``.
        micro_batch: Most images in one forward pass; none means the whole batch. What is larger is
            split and its gradients accumulated, which is the gradient of the whole batch but for
            BatchNorm, which sees the parts, and for the random draws of dropout.
        memory_limit: Most memory that a forward pass may keep for its backward pass, MiB (on a GPU: that
            the process may take of the card); none leaves it to the machine. What does not fit is split.
        gradient_checkpointing: Keep less and compute it again in the backward pass: the same numbers
            with less memory, for about a third more time (Chen et al., 2016, arXiv:1604.06174).
        compile: Run the network through ``torch.compile``; ``auto`` measures once a study whether what
            it saves in one trial is more than what it costs.
        deterministic: Only operations that give the same bits each time, also on a GPU; slower there.
        stored_features: Where only the classifier learns, let it learn from what the frozen network makes of a few
            fixed views of each image, computed once for all trials; false computes it anew at each step.
        options: Options of parts held constant, by their full names (``optimizer.sgd.momentum: 0.95``);
            those of parts that a recipe does not use have no effect on it.
        batch_size: Images a step of the optimizer sees.
        weight_decay: Decoupled for AdamW and most others; never on biases and norms.
        l1: Penalty on the sum of absolute weights, of those that decay.
        dropout: Before the classifier, in [0, 1).
        drop_path: Stochastic depth, in [0, 1).
        label_smoothing: In [0, 1).
        augmentation_strength: 0 (none) to 1 (as strong as still keeps labels true).
        warmup_epochs: Linear warm-up of the learning rate before the schedule, in epochs.
        warmup_start: Where the warm-up begins, as a share of the peak rate, in [0, 1).
        ema_decay: Exponential moving average of weights and buffers, in [0, 1); 0 is off.
        optimizer: How gradients become steps.
        schedule: The learning rate over the budget, after the warm-up.
        loss: What is minimised.
        class_weights: How much an image of each class counts in it.
        sampling: How often the images of each class are shown.
        augmentation: How images are changed.
        curriculum: How the strength of the changes grows during training.
        mixing: Whether images are mixed with each other, and how.
        clipping: What is done about long gradients.
        sharpness: Whether flat minima are looked for.
        transfer: What keeps the network near what its pretraining knew.
        batchnorm: What becomes of BatchNorm's statistics.
        stopping: When a recipe ends its training by itself.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: str = "glyphs"
    pretrained: bool | str = True
    model_args: dict[str, str | int | float | bool] = Field(default_factory=dict)
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    image_size: int | None = Field(default=None, ge=8, le=4096)
    channels: int | None = Field(default=None, ge=1, le=64)
    fit: Fit = "crop"
    crop_pct: float | None = Field(default=None, gt=0, le=1)
    interpolation: Interpolation | None = None
    window: tuple[float, float] | None = None
    val_share: float = Field(default=SHARE, gt=0, lt=1)
    test_share: float = Field(default=SHARE, gt=0, lt=1)
    duplicates: Literal["apart", "as_given"] = "apart"
    invariances: dict[str, bool | float] = Field(default_factory=dict)
    epochs: int = Field(default=27, ge=1)
    repeats: int | None = Field(default=None, ge=1)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    memory_format: Literal["auto", "channels_last", "channels_first"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    micro_batch: int | None = Field(default=None, ge=1)
    memory_limit: float | None = Field(default=None, gt=0)
    gradient_checkpointing: bool = False
    compile: bool | Literal["auto"] = False
    deterministic: bool = False
    stored_features: bool = True
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)

    batch_size: int = Field(default=32, ge=1)
    weight_decay: float = Field(default=1e-3, ge=0)
    l1: float = Field(default=0.0, ge=0)
    dropout: Share = 0.0
    drop_path: Share = 0.0
    label_smoothing: Share = 0.0
    augmentation_strength: float = Field(default=0.3, ge=0, le=1)
    warmup_epochs: float = Field(default=1.0, ge=0)
    warmup_start: Share = 0.0
    ema_decay: Share = 0.0
    optimizer: str = "adamw"
    schedule: str = "cosine"
    loss: str = "cross_entropy"
    class_weights: str = "none"
    sampling: str = "shuffled"
    augmentation: str = "standard"
    curriculum: str = "constant"
    mixing: str = "none"
    clipping: str = "norm"
    sharpness: str = "none"
    transfer: str = "none"
    batchnorm: str = "as_built"
    stopping: str = "never"

    @field_validator(*(kind for kind in PARTS if kind != "strategy"))
    @classmethod
    def _part_is_known(cls, name: str, info: ValidationInfo) -> str:
        part_place(str(info.field_name), name)
        return name

    @field_validator("options")
    @classmethod
    def _options_are_of_parts(cls, options: dict[str, Value]) -> dict[str, Value]:
        for key in options:
            kind, _, rest = key.partition(".")
            part, _, option = rest.partition(".")
            if kind not in HELD or part not in PARTS[kind] or not option:
                parts = [f"{kind}.{name}" for kind in HELD for name in PARTS[kind]]
                known = known_names(f"{kind}.{part}", parts)
                raise ValueError(
                    f"an option must be called <kind>.<part>.<option> (optimizer.sgd.momentum), but got "
                    f"{key!r}{known if 'did you mean' in known else ''}"
                )
        return options

    @field_validator("invariances")
    @classmethod
    def _invariances_are_known(cls, given: dict[str, bool | float]) -> dict[str, bool | float]:
        kinds = {field.name: type(field.default) for field in dataclasses.fields(Invariances)}
        for name, value in given.items():
            if name not in kinds:
                raise ValueError(f"an invariance must be one of {', '.join(kinds)}, but got {name!r}")
            if kinds[name] is bool and not isinstance(value, bool):
                raise ValueError(f"`{name}` must be true or false, but got {value!r}")
            if kinds[name] is float and (isinstance(value, bool) or not 0 <= value <= 180):
                raise ValueError(f"`{name}` must lie in [0, 180] degrees, but got {value!r}")
        return given

    @model_validator(mode="after")
    def _shares_leave_something(self) -> Fixed:
        if self.val_share + self.test_share >= 1:
            raise ValueError(
                f"`val_share + test_share < 1` must hold, but got val_share={self.val_share:g}, "
                f"test_share={self.test_share:g}"
            )
        if self.window is not None and not self.window[0] < self.window[1]:
            raise ValueError(f"`window` must go from a lower to a higher value, but got {list(self.window)}")
        return self

    @model_validator(mode="after")
    def _warmup_ends_before_training_does(self) -> Fixed:
        if self.warmup_epochs >= self.epochs and self.warmup_epochs > 0:
            raise ValueError(
                f"`warmup_epochs < epochs` must hold, but got warmup_epochs={self.warmup_epochs:g}, "
                f"epochs={self.epochs}"
            )
        return self


HELD = tuple(kind for kind in PARTS if kind != "strategy")
"""Kinds of parts that a study can hold constant; the strategy comes from its space."""

MEASURED = ("device", "precision", "memory_format", "compile")
"""What ``auto`` leaves to the machine."""

KNOBS = tuple(list(Fixed.model_fields)[list(Fixed.model_fields).index("batch_size") :])
"""Names of parameters outside of a strategy that reach a trial; options of parts have longer ones."""


@dataclass(frozen=True)
class RegularisationConfig:
    """What keeps a network from learning its training images by heart, as far as it is a number."""

    weight_decay: float
    l1: float
    dropout: float
    drop_path: float
    label_smoothing: float
    augmentation_strength: float
    ema_decay: float


@dataclass(frozen=True)
class WarmupConfig:
    """Length of the warm-up as a share of the budget, and its start as a share of the peak rate; in [0, 1)."""

    share: float
    start: float


@dataclass(frozen=True)
class BatchConfig:
    """Effective batch, the most images of one forward pass, and passes over the images an epoch."""

    size: int
    micro: int
    repeats: int | None


@dataclass(frozen=True)
class NumericsConfig:
    """Where and in which arithmetic, in which order and how much of memory, compiled or not, bit-exact or not."""

    precision: str
    memory_format: str
    device: str
    memory_limit: float | None
    gradient_checkpointing: bool
    compile: bool
    deterministic: bool
    stored_features: bool


@dataclass(frozen=True)
class TrialConfig:
    """One trial, whole. `from_params` is the only way from a study's parameters to it.

    Args:
        model: The backbone's name.
        pretrained: As in `Fixed`.
        epochs: Full budget.
        seed: Of this trial.
        parts: Kind → the part that is used.
        regularisation: Its numbers.
        warmup: Before the schedule.
        batch: In which portions.
        numerics: In which arithmetic.
    """

    model: str
    pretrained: bool | str
    epochs: int
    seed: int
    parts: Mapping[str, PartConfig]
    regularisation: RegularisationConfig
    warmup: WarmupConfig
    batch: BatchConfig
    numerics: NumericsConfig

    @classmethod
    def from_params(cls, params: Params, fixed: Fixed, seed: int = 0) -> TrialConfig:
        """The trial that `params` (searched) and `fixed` (held constant) make together.

        Args:
            params: Names as a space draws them: knobs of `Fixed` by their own name, the strategy as
                ``strategy``, options of parts as ``<kind>.<part>.<option>``.
            fixed: The study's constants.
            seed: Seed of this trial.

        Raises:
            InvalidParams: A name that no part of the training reads, or a value outside its law.
        """
        knobs = {name: value for name, value in params.items() if "." not in name and name != "strategy"}
        unknown = [name for name in params if name.partition(".")[0] not in {*PARTS, *KNOBS}]
        unknown += [name for name in params if "." in name and name.partition(".")[0] not in PARTS]
        if unknown:
            raise InvalidParams(
                f"every searched parameter must reach the training, but {min(unknown)!r} is read by nothing; "
                f"known: strategy, {', '.join(KNOBS)}"
            )
        try:
            settled = Fixed.model_validate({**fixed.model_dump(), **knobs})
        except ValidationError as error:
            raise InvalidParams(broken_law(error, Fixed.model_fields)[1]) from None
        if "strategy" not in params:
            raise InvalidParams("`strategy` must name a fine-tuning strategy, but got None")
        return cls(
            model=settled.model,
            pretrained=settled.pretrained,
            epochs=settled.epochs,
            seed=seed,
            parts=_parts(params, settled),
            regularisation=RegularisationConfig(
                weight_decay=settled.weight_decay,
                l1=settled.l1,
                dropout=settled.dropout,
                drop_path=settled.drop_path,
                label_smoothing=settled.label_smoothing,
                augmentation_strength=settled.augmentation_strength,
                ema_decay=settled.ema_decay,
            ),
            warmup=WarmupConfig(settled.warmup_epochs / settled.epochs, settled.warmup_start),
            batch=BatchConfig(
                size=settled.batch_size,
                micro=min(settled.micro_batch or settled.batch_size, settled.batch_size),
                repeats=settled.repeats,
            ),
            numerics=NumericsConfig(
                precision=settled.precision,
                memory_format=AS_USUAL if settled.memory_format == "auto" else settled.memory_format,
                device=settled.device,
                memory_limit=settled.memory_limit,
                gradient_checkpointing=settled.gradient_checkpointing,
                compile=settled.compile is True,
                deterministic=settled.deterministic,
                stored_features=settled.stored_features,
            ),
        )


def _parts(params: Params, settled: Fixed) -> dict[str, PartConfig]:
    """Kind → the part that is used: named in `params`, else in `settled`; its options from both."""
    parts = {}
    for kind in PARTS:
        chosen = params["strategy"] if kind == "strategy" else getattr(settled, kind)
        held = {key: value for key, value in settled.options.items() if key.startswith(f"{kind}.{chosen}.")}
        parts[kind] = choose_part(kind, chosen, {**held, **params})
    if parts["strategy"].name == "scratch" and parts["transfer"].name != "none":
        raise InvalidParams(
            f"transfer={parts['transfer'].name!r} needs pretrained weights, but strategy 'scratch' uses none"
        )
    return parts


def check_options(fixed: Fixed) -> None:
    """Whether each option that `fixed` holds constant is one, and keeps its law; imports the parts.

    Raises:
        InvalidParams: It is not.
    """
    for key, value in fixed.options.items():
        kind, name, option = key.split(".", 2)
        PartConfig(kind, name, {option: value}).make()

"""What is known of an exported network: how it is built, what it is shown, what its outputs mean. All plain values."""

from __future__ import annotations

from typing import Annotated, Literal

import timm
from pydantic import BaseModel, ConfigDict, Field, model_validator

from trainables.config import Fixed
from trainables.data.choices import Fit, Interpolation
from trainables.data.dataset import Dataset
from trainables.data.preprocessing import Preprocessing
from trainables.data.reading import StoreOrigin
from trainables.material import Material
from trainables.models.backbone import Backbone

FORMAT: Literal[1] = 1
"""Of the folder: raised when an older version of the project could not read it."""

FETCHING = frozenset(
    {
        "cache_dir",
        "checkpoint_path",
        "pretrained",
        "pretrained_cfg",
        "pretrained_cfg_overlay",
        "pretrained_strict",
    }
)
"""Arguments with which timm would fetch or open other files."""

OURS = frozenset({"num_classes", "in_chans"})
"""Arguments that follow from the rest."""


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())


class Input(_Plain):
    """What becomes of a picture before the network sees it: what was done to the study's validation images.

    Args:
        size: Side of the square that the network sees, pixels.
        channels: Of it.
        crop_pct: Its share of the picture's side, in [0.001, 1]; the middle is seen.
        fit: How a rectangle becomes a square.
        interpolation: Between pixels, antialiased.
        window: Values that become black and white; none for all that a file's number format can hold.
        side: Side of the study's images, pixels, where they were square arrays: a picture is brought to it as files
            are, and from it to the network's input as the arrays were (bilinear). None where they were files.
        mean: Subtracted from values in [0, 1], one a channel.
        std: What they are divided by then.
    """

    size: Annotated[int, Field(ge=1, le=4096)]
    channels: Annotated[int, Field(ge=1, le=64)]
    crop_pct: Annotated[float, Field(ge=0.001, le=1)]
    fit: Fit
    interpolation: Interpolation
    window: tuple[float, float] | None = None
    side: Annotated[int, Field(ge=1, le=4096)] | None = None
    mean: tuple[float, ...]
    std: tuple[Annotated[float, Field(gt=0)], ...]

    @model_validator(mode="after")
    def _one_value_a_channel(self) -> Input:
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(f"`mean` and `std` must have a value for each of {self.channels} channels")
        if self.window is not None and not self.window[0] < self.window[1]:
            raise ValueError(f"`window` must go from a lower to a higher value, but got {list(self.window)}")
        return self

    @property
    def preprocessing(self) -> Preprocessing:
        """What becomes of a file."""
        return Preprocessing(
            size=self.size if self.side is None else self.side,
            crop_pct=self.crop_pct if self.side is None else 1.0,
            channels=self.channels,
            fit=self.fit,
            interpolation=self.interpolation,
            window=self.window,
        )

    @classmethod
    def of(cls, dataset: Dataset, material: Material, fixed: Fixed) -> Input:
        """What a study does to its validation images.

        Arrays that are not square were squashed, bilinear; so is a picture here, by Pillow instead of torch.

        Args:
            dataset: The study's.
            material: Made of it.
            fixed: The study's constants.
        """
        normalise = material.normalise
        known = {
            "size": material.size, "channels": material.channels, "mean": normalise.mean, "std": normalise.std,
        }  # fmt: skip
        if isinstance(dataset.origin, StoreOrigin):
            decoded = dataset.origin.store.preprocessing
            return cls(
                **known,
                crop_pct=decoded.crop_pct,
                fit=decoded.fit,
                interpolation=decoded.interpolation,
                window=decoded.window,
            )
        height, width = dataset.val.pixels.shape[1:3]
        square = height == width
        return cls(
            **known,
            crop_pct=fixed.crop_pct or 1.0,
            fit=fixed.fit if square else "squash",
            interpolation=fixed.interpolation or "bicubic" if square else "bilinear",
            window=fixed.window,
            side=height if square else None,
        )


class Source(_Plain):
    """What a network comes from.

    Args:
        study: Its name.
        trial: The winner's number.
        version: Of this project.
    """

    study: str
    trial: Annotated[int, Field(ge=0)]
    version: str


class Description(_Plain):
    """All that is needed beside the weights.

    Args:
        format: Of the folder.
        model: As the study called it.
        architecture: timm's name, or ``package.module:function`` of the user's own.
        model_args: Further arguments of it.
        classes: How many there are.
        labels: Their names, in the order of the network's outputs.
        input: What becomes of a picture.
        temperature: What outputs are divided by before they become probabilities.
        source: What the network comes from.
    """

    format: Literal[1] = FORMAT
    model: str
    architecture: str
    model_args: dict[str, str | int | float | bool] = Field(default_factory=dict)
    classes: Annotated[int, Field(ge=1)]
    labels: tuple[str, ...]
    input: Input
    temperature: Annotated[float, Field(gt=0)] = 1.0
    source: Source

    @model_validator(mode="after")
    def _holds_together(self) -> Description:
        if len(self.labels) != self.classes:
            raise ValueError(f"`labels` must name all {self.classes} classes, but got {len(self.labels)}")
        if taken := sorted(OURS & set(self.model_args)):
            raise ValueError(f"`model_args` must not hold {taken[0]!r}: it follows from the rest")
        if not self.runs_code:
            if not timm.is_model(self.architecture):
                raise ValueError(
                    "`architecture` must be one of timm's or a 'package.module:function', but got "
                    f"{self.architecture!r}"
                )
            if fetched := sorted(FETCHING & set(self.model_args)):
                raise ValueError(
                    f"`model_args` must not hold {fetched[0]!r}: nothing but the folder's own weights is loaded"
                )
        return self

    @property
    def runs_code(self) -> bool:
        """Whether the architecture is code of somebody's own."""
        return ":" in self.architecture

    @property
    def backbone(self) -> Backbone:
        """The architecture."""
        return Backbone(self.model, self.architecture, self.model_args)

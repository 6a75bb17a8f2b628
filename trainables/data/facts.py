"""What is known of each image of a source after it has been read once: the columns that checks and splits read."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNREADABLE, TRUNCATED = "unreadable", "truncated"
"""What can be wrong with a file: it is no image that we know, or its end is missing."""


@dataclass(frozen=True)
class Facts:
    """One row an image of the listing, in its order; those that cannot be read have a fault and zeros.

    Args:
        fault: Empty, `UNREADABLE` or `TRUNCATED`, [N].
        reason_of: Which of `reasons` is the image's, [N].
        reasons: What the decoder has said of any image, an empty text first: a column of texts as wide as the
            longest would be larger than all others.
        digest: Of the file's bytes (BLAKE2b, 16 bytes, as hexadecimal digits), [N].
        format: The file's format as Pillow calls it (``JPEG``), [N].
        mode: Pillow's mode before any conversion (``RGB``, ``L``, ``I;16``, ``P``, ``CMYK``, …), [N].
        width: Pixels, as shown (EXIF's rotation applied), [N].
        height: Likewise, [N].
        frames: Images in the file; of an animation the first is used, [N].
        rotated: EXIF says that the picture is to be turned or mirrored for display, [N].
        peak: The brightest value as a share of what the file's number format can hold, in [0, 1], [N].
        phash: Perceptual hash, 64 bits, [N].
        mean: Mean of each channel of the stored picture, in [0, 1], [N, C].
        deviation: Standard deviation of each channel, in [0, 1], [N, C].
        brightness: Mean of luma, in [0, 1], [N].
        contrast: Standard deviation of luma, in [0, 1], [N].
        sharpness: Variance of the Laplacian of luma, luma in [0, 1], [N].
    """

    fault: NDArray[np.str_]
    reason_of: NDArray[np.int32]
    reasons: NDArray[np.str_]
    digest: NDArray[np.str_]
    format: NDArray[np.str_]
    mode: NDArray[np.str_]
    width: NDArray[np.int32]
    height: NDArray[np.int32]
    frames: NDArray[np.int32]
    rotated: NDArray[np.bool_]
    peak: NDArray[np.float32]
    phash: NDArray[np.uint64]
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    brightness: NDArray[np.float32]
    contrast: NDArray[np.float32]
    sharpness: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.fault)

    @property
    def readable(self) -> NDArray[np.bool_]:
        """Which images can be used, [N]."""
        return np.asarray(self.fault == "")

    def reason(self, row: int) -> str:
        """What the decoder said of an image; empty without a fault."""
        return str(self.reasons[self.reason_of[row]])

    def row(self, row: int) -> dict[str, Any]:
        """One image's facts, as `gather` takes them."""
        columns = (column.name for column in fields(self) if not column.name.startswith("reason"))
        return {name: getattr(self, name)[row] for name in columns} | {"reason": self.reason(row)}

    def save(self, path: Path) -> None:
        """Write the columns to a new file (NumPy's ``.npz``, no pickles)."""
        with path.open("xb") as file:
            np.savez(file, **{column.name: getattr(self, column.name) for column in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Facts:
        """The inverse of `save`."""
        with np.load(path, allow_pickle=False) as columns:
            return cls(**{column.name: columns[column.name] for column in fields(cls)})

    @classmethod
    def gather(cls, rows: list[dict[str, Any]], channels: int) -> Facts:
        """From one mapping an image; what is not in one is empty, zero or false."""
        kinds: dict[str, Any] = {
            "width": np.int32, "height": np.int32, "frames": np.int32, "rotated": np.bool_,
            "phash": np.uint64, "peak": np.float32, "brightness": np.float32, "contrast": np.float32,
            "sharpness": np.float32,
        }  # fmt: skip
        reasons = ["", *sorted({row["reason"] for row in rows if row.get("reason")})]
        number = {reason: place for place, reason in enumerate(reasons)}
        columns: dict[str, Any] = {
            "reasons": np.asarray(reasons, np.str_),
            "reason_of": np.asarray([number[row.get("reason", "")] for row in rows], np.int32),
        }
        for column in fields(cls):
            if column.name in columns:
                continue
            if column.name in ("mean", "deviation"):
                nothing = (0.0,) * channels
                values = [row.get(column.name, nothing) for row in rows]
                columns[column.name] = np.asarray(values, np.float32).reshape(len(rows), channels)
            elif column.name in kinds:
                columns[column.name] = np.asarray(
                    [row.get(column.name, 0) for row in rows], kinds[column.name]
                )
            else:
                columns[column.name] = np.asarray([row.get(column.name, "") for row in rows], np.str_)
        return cls(**columns)

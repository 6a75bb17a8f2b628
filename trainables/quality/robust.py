"""How far a value lies from the others, told by the median: outliers do not hide themselves by moving it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FAR = 6.0
"""Modified z-score of an outlier. Iglewicz and Hoaglin advise 3.5 for normal values; those of photographs have
heavier tails, and a list of what is merely unusual is read by nobody."""


def modified_z(values: NDArray[np.floating], least: float) -> NDArray[np.float64]:
    """Distance from the median in units of the spread of normal values, signed, [N].

    Args:
        values: [N].
        least: Spread (median absolute deviation) that is assumed at least, in the values' own unit: where
            nearly all are alike, a hair's difference is no outlier.

    Source: Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (1993): 0.6745 (x - median) / MAD.
    """
    centred = np.asarray(values, np.float64) - np.median(values)
    return np.asarray(0.6745 * centred / max(float(np.median(np.abs(centred))), least))

"""All corruptions by name, a family after the other."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from trainables.soundness.corruptions.blur import BLUR
from trainables.soundness.corruptions.corruption import Corruption
from trainables.soundness.corruptions.digital import DIGITAL
from trainables.soundness.corruptions.noise import NOISE
from trainables.soundness.corruptions.weather import WEATHER

CORRUPTIONS: Mapping[str, Corruption] = MappingProxyType({**NOISE, **BLUR, **WEATHER, **DIGITAL})
"""Those of Hendrycks and Dietterich (ICLR 2019, arXiv:1903.12261), with ``speckle_noise`` and ``saturate`` of their
four extra ones."""

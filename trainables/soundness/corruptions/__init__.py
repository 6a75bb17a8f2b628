"""What cameras, weather and storage do to images: one family a file, each corruption at five severities."""

from trainables.soundness.corruptions.corruption import SEVERITIES, Corruption
from trainables.soundness.corruptions.registry import CORRUPTIONS

__all__ = ["CORRUPTIONS", "SEVERITIES", "Corruption"]

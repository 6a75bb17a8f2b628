"""A trained network as a folder that anyone can use: weights, and all that turns a picture into their input."""

from trainables.exported.description import Description, Input, Source
from trainables.exported.exported import Exported, Prediction

__all__ = ["Description", "Exported", "Input", "Prediction", "Source"]

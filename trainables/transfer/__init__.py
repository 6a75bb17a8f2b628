"""Penalties that keep a network near what its pretraining knew: one a file, named in `trainables.parts.PARTS`."""

from trainables.transfer.source import BoundTransfer, Source, Transfer

__all__ = ["BoundTransfer", "Source", "Transfer"]

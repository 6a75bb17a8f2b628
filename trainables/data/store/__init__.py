"""Pictures decoded once, in files that all processes of a machine map into memory."""

from trainables.data.store.store import Store, open_store

__all__ = ["Store", "open_store"]

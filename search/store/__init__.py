"""Where studies are kept: folders, databases, and how they come into being."""

from search.store.databases import open_storage, prepare
from search.store.layout import Store, check_study_name

__all__ = ["Store", "check_study_name", "open_storage", "prepare"]

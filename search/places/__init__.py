"""Where checkpoints are kept."""

from search.places.place import Folder, Place, place_at

__all__ = ["Folder", "Place", "place_at"]

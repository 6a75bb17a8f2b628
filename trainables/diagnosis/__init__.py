"""Why a training does not work, by name: told from what its epochs showed, or in the step in which it broke."""

"""Two recipes against each other: what differs between them, and what that does, seed by seed."""

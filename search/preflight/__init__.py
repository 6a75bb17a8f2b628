"""Before a study: whether it can work, and what it will take."""

"""What a study was run to find out, and what came of it."""

"""What the user sees while a study runs, and at its end."""

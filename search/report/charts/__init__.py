"""Charts as drawings in the page itself, one a file. They know of numbers and names, and of nothing else."""

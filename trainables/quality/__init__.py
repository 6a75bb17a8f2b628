"""What is wrong with a data set: one kind of finding a file, each from the facts of its images."""

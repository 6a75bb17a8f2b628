"""Where only the classifier learns, what the frozen rest makes of the images is computed once and kept."""

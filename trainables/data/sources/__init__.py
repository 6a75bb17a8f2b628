"""Where images come from: each kind of source a file, and the words that they go by."""

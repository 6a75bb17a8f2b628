"""Networks to start from, and the weights they start with."""

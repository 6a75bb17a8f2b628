"""Whether a trained network is good, not only accurate: its confidence, what it withstands, where it errs."""

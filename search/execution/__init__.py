"""Ray executes: a fresh Tuner at each start of a study, thin adapters round the decisions."""

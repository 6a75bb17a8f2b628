"""Who proposes the next recipe: the project's own searcher, and Optuna's samplers over its spaces."""

"""Who proposes the next recipe: Optuna's samplers over the project's spaces."""

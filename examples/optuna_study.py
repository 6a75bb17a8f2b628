"""A study written by hand: Optuna's own loop, sampler and pruner around the project's training core.

Run it: python examples/optuna_study.py [trials] [epochs]
"""

from __future__ import annotations

import sys

import optuna

from search import KeepAway, Objective


def main(trials: int = 20, epochs: int = 9) -> optuna.Study:
    study = optuna.create_study(
        study_name="by-hand",
        direction="maximize",
        sampler=KeepAway(optuna.samplers.TPESampler(seed=0)),  # KeepAway: learn from divergence
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2),
    )
    with Objective(data="digits", space="finetune", epochs=epochs) as objective:
        study.optimize(objective, n_trials=trials)
    print(f"best: {study.best_value:.4f} with {study.best_params}")
    return study


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

"""A study that `make search` has run, opened with Optuna and plotted with its own plots.

Run it: python examples/look_at_a_study.py [name] [folder]
"""

from __future__ import annotations

import sys
from pathlib import Path

import optuna

from search import Store


def main(name: str = "digits", folder: str = "plots") -> list[Path]:
    study = optuna.load_study(study_name=name, storage=Store.default().optuna_url)
    plots = {
        "history": optuna.visualization.plot_optimization_history(study),
        "curves": optuna.visualization.plot_intermediate_values(study),
        "parallel": optuna.visualization.plot_parallel_coordinate(study),
        "slices": optuna.visualization.plot_slice(study, params=["batch_size", "dropout", "weight_decay"]),
    }
    Path(folder).mkdir(parents=True, exist_ok=True)
    written = []
    for title, figure in plots.items():
        path = Path(folder) / f"{title}.html"
        figure.write_html(path, include_plotlyjs=True)
        written.append(path)
    print(f"{len(study.trials)} trials of {name!r}, best {study.best_value:.4f}; plots in {folder}/")
    return written


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A search whose truth is known: curves of recipes of which some parameters matter and others do not."""

from __future__ import annotations

import math

import numpy as np

from search.decisions.history import History
from search.simulation import simulate
from spaces import Choice, Float, Int, SearchSpace, Switch

EPOCHS = 12
RATE = Float(1e-4, 1e-1, log=True)
SPACE = SearchSpace(
    {
        "weight_decay": Float(1e-6, 1e-2, log=True),
        "batch_size": Int(8, 128, log=True),
        "dropout": Float(0.0, 0.5),
        "augment": Float(0.0, 1.0),
        "smoothing": Float(0.0, 0.2),
        "schedule": Choice(("cosine", "linear", "step")),
        "strategy": Switch(
            {
                "full": SearchSpace({"lr": RATE}),
                "decay": SearchSpace({"lr": RATE, "ratio": Float(0.5, 1.0)}),
                "head": SearchSpace({"lr": RATE, "width": Float(0.0, 1.0)}),
            }
        ),
    }
)
PLANTED = {"strategy.*.lr", "augment", "strategy"}
"""What matters."""


def truth(params) -> float:
    """Score at the full budget: best at a learning rate of 0.006, an augmentation of 0.7, layer-wise decay."""
    strategy = params["strategy"]
    rate = math.log10(params[f"strategy.{strategy}.lr"])
    score = 0.85 - 0.05 * (rate + 2.2) ** 2 - 0.4 * (params["augment"] - 0.7) ** 2
    return score + {"full": 0.0, "decay": 0.02, "head": -0.1}[strategy]


def planted(
    seed: int,
    *,
    trials: int = 80,
    searcher: str = "random",
    scheduler: str = "asha",
    grace: int = 3,
    noise: float = 0.006,
    score=truth,
    haste: float = 0.5,
) -> History:
    """What a search of four workers has seen; recipes with a high learning rate start faster, by `haste`."""
    begun = iter(range(10**6))

    def curve(params):
        rng = np.random.default_rng([seed, next(begun)])
        rate = math.log10(params[f"strategy.{params['strategy']}.lr"])
        pace = EPOCHS / 6 * (1 - haste * (rate + 1) / 3)
        rise = (1 - np.exp(-np.arange(1, EPOCHS + 1) / pace)) / (1 - math.exp(-EPOCHS / pace))
        final = score(params) + noise * rng.normal()
        return 0.1 + (final - 0.1) * rise + noise * rng.normal(size=EPOCHS), np.ones(EPOCHS)

    return simulate(
        SPACE, curve, EPOCHS, trials=trials, searcher=searcher, scheduler=scheduler, seed=seed, grace=grace
    ).runs

"""Made-up learning curves of a known kind, where the truth is known."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np

from search.encoding import Array, Encoding
from search.simulation.curves import Task
from spaces import Choice, Float, Int, Params, SearchSpace, Switch

FOUR = SearchSpace(
    {
        "lr": Float(1e-5, 10, log=True),
        "momentum": Float(1e-3, 1, log=True),
        "power": Float(0.1, 2),
        "decay": Float(0.01, 0.99),
    }
)
EIGHT = SearchSpace(
    {
        "lr": Float(1e-5, 1e-1, log=True),
        "weight_decay": Float(1e-6, 1, log=True),
        "batch_size": Int(8, 256, log=True),
        "dropout": Float(0, 0.5),
        "mixup": Float(0, 1),
        "strength": Int(0, 10),
        "optimizer": Choice(("sgd", "adam", "adamw", "lamb")),
        "schedule": Choice(("cosine", "step", "constant")),
    }
)
OPTIMIZER = Switch(
    {
        "sgd": SearchSpace({"momentum": Float(0, 0.99)}),
        "adamw": SearchSpace({"beta2": Float(0.9, 0.999)}),
        "lamb": SearchSpace({}),
    }
)
AUGMENTATION = Switch(
    {
        "none": SearchSpace({}),
        "randaugment": SearchSpace({"ops": Int(1, 4), "magnitude": Int(1, 30)}),
        "trivial": SearchSpace({}),
    }
)
ZOO = SearchSpace(
    {
        "model": Choice(tuple(f"m{number}" for number in range(24))),
        "lr": Float(1e-5, 1e-1, log=True),
        "weight_decay": Float(1e-6, 1, log=True),
        "batch_size": Int(8, 256, log=True),
        "optimizer": OPTIMIZER,
        "augmentation": AUGMENTATION,
        "frozen": Float(0, 1),
        "layer_decay": Choice((0.0, 0.65, 0.75)),
        "dropout": Float(0, 0.5),
        "mixup": Float(0, 1),
        "smoothing": Choice((0.0, 0.05, 0.1)),
    }
)


@dataclass(frozen=True)
class Kind:
    """What makes the curves of a family hard to read.

    Args:
        space: What may vary.
        epochs: Length of a curve.
        slowness: The larger, the later curves rise: minus the logarithm of the typical rate.
        crossing: How much slower the better recipes are.
        misleading: Share of the first epoch's score that has nothing to do with the last one's.
        noise: Standard deviation of an epoch's score.
        diverging: Share of the first parameter's range, from the top, where recipes diverge in their third epoch.
    """

    space: SearchSpace
    epochs: int = 51
    slowness: float = 1.0
    crossing: float = 0.0
    misleading: float = 0.0
    noise: float = 0.0
    diverging: float = 0.0


FAMILIES: dict[str, Kind] = {
    "smooth": Kind(EIGHT),
    "crossing": Kind(EIGHT, crossing=0.5),
    "misleading": Kind(EIGHT, misleading=0.6),
    "noisy": Kind(EIGHT, noise=0.02, crossing=0.1),
    "short and noisy": Kind(FOUR, epochs=27, noise=0.03),
    "diverging": Kind(FOUR, diverging=0.25, slowness=1.5),
    "late": Kind(FOUR, epochs=81, crossing=0.2, slowness=2.0, diverging=0.1),
    "zoo": Kind(ZOO, noise=0.005, slowness=0.5),
    "crossing zoo": Kind(ZOO, noise=0.01, crossing=0.2, slowness=1.5),
}


class MadeUp:
    """Curves of one family; another seed gives another landscape of the same kind.

    The final score is a bowl plus waves, over parameters of unequal weight, squeezed so that the best recipes are
    rare. It is approached exponentially, at a rate that is another function of the recipe.

    Args:
        kind: The family.
        seed: Of the landscape.
    """

    def __init__(self, kind: Kind, seed: int) -> None:
        self.kind, self.seed = kind, seed
        self.encoding = Encoding(kind.space)
        rng = np.random.default_rng([seed, 1])
        columns = self.encoding.columns
        weight = rng.gamma(0.6, 1.0, columns)
        self._weight = weight / weight.sum()
        self._middle = rng.uniform(0.1, 0.9, columns)
        self._waves = [
            (rng.normal(0, 1, (64, columns)) * scale, rng.uniform(0, 2 * np.pi, 64), rng.normal(0, 1, 64) / 8)
            for scale in (4 * np.sqrt(self._weight), np.ones(columns), np.ones(columns))
        ]
        heights = self._heights(self.encoding.draw(np.random.default_rng([seed, 2]), 4000))
        self._mean, self._spread = heights.mean(axis=0), heights.std(axis=0)
        self._top = float(((heights[:, 0] - self._mean[0]) / self._spread[0]).max()) + 0.4

    def _heights(self, points: Array) -> Array:
        """Quality, speed and what misleads, before scaling: shape (points, 3)."""
        bowl = -6 * ((points - self._middle) ** 2 @ self._weight)
        quality, speed, lure = (np.cos(points @ w.T + phase) @ height for w, phase, height in self._waves)
        return np.stack([bowl + 0.5 * quality, speed, lure], axis=1)

    def truth(self, points: Array) -> Array:
        """Scores without noise, of points: shape (points, epochs); NaN from where a recipe has diverged."""
        kind = self.kind
        quality, speed, lure = ((self._heights(points) - self._mean) / self._spread).T
        lack = np.logaddexp(0, 4 * (self._top - quality)) / 4
        final = 0.95 - 0.6 * (1 - np.exp(-lack / 2.5))
        rate = np.exp(-kind.slowness + 0.7 * speed - kind.crossing * quality)
        epochs = np.arange(1, kind.epochs + 1)
        seeming = (0.6 + 0.3 * lure)[:, None] * kind.misleading
        early = np.exp(-4 * epochs / kind.epochs)[None]
        aim = final[:, None] * (1 - kind.misleading * early) + seeming * early
        scores = 0.1 + (aim - 0.1) * (1 - np.exp(-((rate[:, None] * epochs) ** 0.8)))
        lost = (points[:, 0] > 1 - kind.diverging)[:, None] & (epochs > 2)[None]
        return np.where(lost, np.nan, scores)

    def __call__(self, params: Params) -> tuple[Array, Array]:
        """Scores and seconds of each epoch of the recipe."""
        point = self.encoding.encode(params)
        scores = self.truth(point[None])[0]
        own = zlib.crc32(np.round(point, 9).tobytes())
        noise = np.random.default_rng([self.seed, own]).normal(0, 1, len(scores))
        return scores + self.kind.noise * noise, np.full(len(scores), 1.0 + 2.0 * point[1])

    def best(self) -> float:
        """The best score without noise of any recipe and epoch, as far as a long climb finds it."""
        rng = np.random.default_rng([self.seed, 3])
        points = self.encoding.draw(rng, 4000)
        for step in range(40):
            points = points[np.argsort(-_best(self.truth(points)))[:40]]
            moved = np.repeat(points, 10, axis=0)
            kept = rng.random(moved.shape) < 0.7
            moved = np.where(kept, moved, moved + rng.normal(0, 0.3 * 0.9**step, moved.shape))
            points = np.vstack([points, self.encoding.tidy(moved)])
        return float(_best(self.truth(points)).max())


def _best(scores: Array) -> Array:
    best: Array = np.nan_to_num(scores, nan=-np.inf).max(axis=1)
    return best


@cache
def made_up(name: str, seed: int = 0) -> Task:
    """A task of the family `name` (see `FAMILIES`).

    Raises:
        KeyError: There is no such family.
    """
    curves = MadeUp(FAMILIES[name], seed + zlib.crc32(name.encode()) % 1000)
    typical = _best(curves.truth(curves.encoding.draw(np.random.default_rng([seed, 4]), 2000)))
    kind = curves.kind
    return Task(name, kind.space, curves, kind.epochs, curves.best(), float(np.median(typical)))

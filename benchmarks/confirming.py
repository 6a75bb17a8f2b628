"""What a search says of its winner, and how often that is true: imagined studies whose recipes' worth is known.

    python benchmarks/confirming.py                # two minutes
    python benchmarks/confirming.py --studies 200

Each study has recipes of known worth, draws validation scores with a seed's luck, and takes its three best. Four ways
to an answer: the search's best score beside the baseline's; the finalists trained with new seeds, and the best of them
said to be worth what those seeds gave; the same with an interval; as the project does it, a race on some seeds and the
winner measured on others; and that once more with as many seeds as the answer says would tell, up to thirty, where it
is too close. Where the baseline itself wins nothing is said of a difference.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable
from statistics import fmean

import _package  # noqa: F401
import numpy as np
from numpy.random import Generator

from search.answer.estimate import Estimate, compare
from search.answer.hits import Hits
from search.answer.race import MOST, contenders

IMAGES = 360
"""Of validation, and of the test split: those of `digits`."""
EASE, SPREAD = 3.0, 3.0
"""Mean and spread of the images' easiness, logits: an accuracy of 0.83."""
LANDSCAPES: dict[str, Callable[[Generator, int], np.ndarray]] = {
    "all as good as the baseline": lambda rng, recipes: np.zeros(recipes),
    "some better, most worse": lambda rng, recipes: np.append(0.0, rng.normal(-0.5, 1.0, recipes - 1)),
    "one in ten much better": lambda rng, recipes: np.append(0.0, 1.5 * (rng.random(recipes - 1) < 0.1)),
}
WAYS = (
    "the search's best score",
    "new seeds, mean alone",
    "new seeds, Student's interval",
    "race, then other seeds",
    "and as many more as would tell",
)
MOST_AGAIN = 30
"""Seeds that somebody would add."""


class Study:
    """Recipes, images and luck.

    Args:
        rng: Draws.
        worth: Of each recipe, logits; the first is the baseline's.
        luck: Spread of a seed's effect, logits.
    """

    def __init__(self, rng: Generator, worth: np.ndarray, luck: float) -> None:
        self._rng, self._worth, self._luck = rng, worth, luck
        self._val, self._test = (EASE + SPREAD * rng.normal(size=IMAGES) for _ in range(2))
        everything = EASE + SPREAD * rng.normal(size=20_000) + luck * rng.normal(size=20_000)
        self._everything = everything

    def truth(self, recipe: int) -> float:
        """Accuracy over all seeds and images."""
        return float((1 / (1 + np.exp(-self._everything - self._worth[recipe]))).mean())

    def train(self, recipe: int) -> tuple[float, Hits]:
        """Validation accuracy, and what is right of the test split."""
        luck = self._luck * self._rng.normal()
        val, test = (
            self._rng.random(IMAGES) < 1 / (1 + np.exp(-easy - self._worth[recipe] - luck))
            for easy in (self._val, self._test)
        )
        return float(val.mean()), Hits(bytes(test.astype(np.uint8)))


def answers(study: Study, recipes: int, seeds: int) -> dict[str, tuple[int, Estimate | None, int]]:
    """By way: the recipe, its difference from the baseline, and the trainings after the search."""
    found: dict[str, tuple[int, Estimate | None, int]]
    searched = [study.train(recipe) for recipe in range(recipes)]
    best = sorted(range(recipes), key=lambda recipe: -searched[recipe][0])[:3]
    found = {WAYS[0]: (best[0], Estimate(searched[best[0]][0] - searched[0][0], 1, 0.0), 0)}
    again = {recipe: [study.train(recipe) for _ in range(seeds)] for recipe in {0, *best}}
    chosen = max(best, key=lambda recipe: fmean(val for val, _ in again[recipe]))
    of_test = [[hits.accuracy for _, hits in again[recipe]] for recipe in (chosen, 0)]
    student = compare(*of_test)
    assert student is not None
    found[WAYS[1]] = (chosen, Estimate(student.value, seeds, 0.0), seeds * len(again))
    found[WAYS[2]] = (chosen, student, seeds * len(again))

    rows: dict[str, list[float]] = {str(recipe): [] for recipe in best}
    trainings = 0
    for seed in range(min(seeds, MOST)):
        if len(rows) > 1:
            for label in rows:
                rows[label].append(study.train(int(label))[0])
            trainings += len(rows)
            if seed:
                rows = {label: rows[label] for label in contenders(rows)}
    winner = int(contenders(rows)[0])
    if winner == 0:
        found[WAYS[3]] = found[WAYS[4]] = (winner, None, trainings + seeds)
        return found
    sides = [[study.train(recipe)[1] for _ in range(seeds)] for recipe in (winner, 0)]
    found[WAYS[3]] = (winner, apart(sides), trainings + 2 * seeds)
    told = apart(sides).seeds_that_tell
    if apart(sides).verdict == "too close to tell" and told is not None and told <= MOST_AGAIN:
        for side, recipe in zip(sides, (winner, 0), strict=True):
            side += [study.train(recipe)[1] for _ in range(told - seeds)]
    found[WAYS[4]] = (winner, apart(sides), trainings + 2 * len(sides[0]))
    return found


def apart(sides: list[list[Hits]]) -> Estimate:
    """The first's accuracy minus the second's."""
    difference = compare(*([one.accuracy for one in side] for side in sides), *sides)
    assert difference is not None
    return difference


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--recipes", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--luck", type=float, default=0.2, help="spread of a seed's effect, logits")
    given = parser.parse_args()
    print(f"{given.recipes} recipes, {given.seeds} seeds, n = {given.studies}\n")
    print("| recipes | way | true where said | too hopeful by | says above | rightly | trainings |")
    print("|---|---|---|---|---|---|---|")
    for landscape, worths in LANDSCAPES.items():
        told: dict[str, list[tuple[float | None, ...]]] = defaultdict(list)
        for number in range(given.studies):
            rng = np.random.default_rng(number)
            study = Study(rng, worths(rng, given.recipes), given.luck)
            for way, (recipe, said, trainings) in answers(study, given.recipes, given.seeds).items():
                if said is None:
                    told[way].append((None, None, False, False, trainings))
                    continue
                truth = study.truth(recipe) - study.truth(0)
                covered = abs(said.value - truth) <= (said.margin or 0.0)
                above = said.verdict == "above"
                told[way].append((covered, said.value - truth, above, above and truth > 0, trainings))
        for way in WAYS:
            columns = zip(*told[way], strict=True)
            covered, hopeful, above, rightly, trainings = (
                fmean(one for one in column if one is not None) for column in columns
            )
            interval = f"{covered:.1%}" if way in WAYS[2:] else "no interval"
            of = f"{rightly / above:.0%}" if above else "–"
            cells = (
                landscape,
                way,
                interval,
                f"{100 * hopeful:+.2f} points",
                f"{above:.1%}",
                of,
                f"{trainings:.1f}",
            )
            print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

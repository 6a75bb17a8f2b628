"""A region of the space in which trainings diverge."""

from __future__ import annotations

import numpy as np

from search.encoding import Encoding
from search.insight.variation import Variation
from search.verdicts.verdict import Case, Verdict
from spaces import Choice, Int

FEWEST = 3
"""Diverged trials below which they are no region."""
CHANCE = 0.01
"""Probability of so clear a border where there is none, all borders that are looked at taken into account."""


def diverging_region(case: Case) -> list[Verdict]:
    """The border beyond which trials diverge and before which they do not, if there is one.

    Every border between two values of every number is looked at; Fisher's exact test on the four counts, with
    Bonferroni's correction.
    """
    from scipy.stats import hypergeom

    runs = list(case.history)
    diverged = np.array([run.diverged for run in runs], dtype=bool)
    if diverged.sum() < FEWEST:
        return []
    variation = Variation(Encoding(case.history.space))
    leaves = case.history.space.leaves()
    looked, best = 0, None
    for name in variation.names:
        qualified = variation.qualified(name)
        if isinstance(leaves[qualified[0]], Choice):
            continue
        having = [index for index, run in enumerate(runs) if variation.has(name, run.params)]
        values = np.array(
            [next(float(runs[i].params[q]) for q in qualified if q in runs[i].params) for i in having]
        )
        lost = diverged[having]
        for above in (True, False):
            for border in np.unique(values)[1:] if above else np.unique(values)[:-1]:
                inside = values >= border if above else values <= border
                looked += 1
                hits = int(lost[inside].sum())
                # P(as many of the diverged inside, were the border nothing)
                chance = float(hypergeom.sf(hits - 1, len(values), int(lost.sum()), int(inside.sum())))
                if best is None or chance < best[0]:
                    best = (chance, name, above, float(border), hits, int(inside.sum()), int(lost.sum()))
    if best is None or best[0] * looked > CHANCE:
        return []
    _, name, above, border, hits, inside, lost_in_all = best
    return [
        Verdict(
            "diverging region",
            f"Trainings with {name} {'from' if above else 'up to'} {border:.2g} on diverge."
            if above
            else f"Trainings with {name} up to {border:.2g} diverge.",
            f"{hits} of {inside} trials there, and {lost_in_all - hits} of all others.",
            _within(case, variation.qualified(name), above, border),
        )
    ]


def _within(case: Case, names: list[str], above: bool, border: float) -> tuple[str, ...]:
    """The ranges of all that the border is about, cut at it; of one that lies beyond it nothing is left to say."""
    found = []
    for name in names:
        leaf = case.history.space.leaves()[name]
        assert not isinstance(leaf, Choice)
        low, high = (leaf.low, border) if above else (border, leaf.high)
        if low < high and (leaf.low < low or high < leaf.high):
            written = ",".join(
                str(round(end)) if isinstance(leaf, Int) else f"{end:.3g}" for end in (low, high)
            )
            found.append(f"--set {name}=[{written}]")
    return tuple(found)

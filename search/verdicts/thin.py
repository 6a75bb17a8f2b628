"""The space was sampled too thinly."""

from __future__ import annotations

import math
from statistics import fmean

from search.insight.effects import FEWEST
from search.verdicts.verdict import Case, Verdict
from spaces import Choice

EACH = 5
"""Trials for each parameter of a recipe below which hardly anything can be told of most of them."""
USUAL = 10
"""Trials for each parameter that are advised: Loeppky, Sacks and Welch, Technometrics 51, 2009."""


def too_thin(case: Case) -> list[Verdict]:
    """Few trials for the parameters that a recipe has, and options that were hardly tried."""
    runs = list(case.history)
    if not runs:
        return []
    leaves = case.history.space.leaves()
    free = {name for name, leaf in leaves.items() if not leaf.is_fixed}
    parameters = fmean(sum(name in free for name in run.params) for run in runs)
    found = []
    if len(runs) < EACH * parameters:
        more = math.ceil(USUAL * parameters)
        found.append(
            Verdict(
                "sampled too thinly",
                "There are too few trials for so many parameters.",
                f"{len(runs)} trials, and {parameters:.0f} parameters in a recipe; ten trials for each are advised, "
                f"and {len(case.insight.told)} of {len(free)} parameters could be told from chance.",
                (f"--trials {more}",),
            )
        )
    rare = []
    for name, leaf in leaves.items():
        if isinstance(leaf, Choice) and not leaf.is_fixed:
            had = [run.params[name] for run in runs if name in run.params]
            if len(had) >= FEWEST * len(leaf.options):
                rare += [f"{name}={option}" for option in leaf.options if had.count(option) < 2]
    if rare:
        found.append(
            Verdict(
                "sampled too thinly",
                f"{' and '.join(rare)} {'was' if len(rare) == 1 else 'were'} hardly tried.",
                f"Of {len(runs)} trials at most one had it: what it is worth nobody knows.",
            )
        )
    return found

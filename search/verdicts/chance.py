"""Where chance is larger than what recipes differ by: seeds, and the size of the validation split."""

from __future__ import annotations

import math
from statistics import fmean, stdev

from search.decisions.history import Status
from search.verdicts.verdict import Case, Verdict

BEST = 10
"""COMPLETE trials, the best ones, among which differences are looked at."""
FEWEST = 5


def seeds_matter_more(case: Case) -> list[Verdict]:
    """The same recipe with other seeds differs by more than the best recipes differ among each other."""
    answer = case.answer
    if answer is None:
        return []
    rows = [list(one.race) for one in answer.finalists] + [list(answer.winner.val)]
    rows += [list(answer.baseline.val)] if answer.baseline is not None else []
    rows = [row for row in rows if len(row) > 1]
    scores = _best(case)
    freedom = sum(len(row) - 1 for row in rows)
    if freedom < 3 or len(scores) < FEWEST:
        return []
    luck = math.sqrt(sum((len(row) - 1) * stdev(row) ** 2 for row in rows) / freedom)
    among = stdev(scores)
    if luck <= among:
        return []
    return [
        Verdict(
            "seeds matter more than parameters",
            "Among the best recipes luck decides, and not what they are.",
            f"One recipe's scores differ by {luck:.4f} from seed to seed (standard deviation, {freedom} degrees of "
            f"freedom), those of the {len(scores)} best trials by {among:.4f}.",
            ("--set holdouts=3",),
        )
    ]


def noise_is_larger(case: Case) -> list[Verdict]:
    """So few validation images that the best trials cannot be told from each other."""
    scores = _best(case)
    if not case.images or len(scores) < FEWEST or not 0 < scores[0] <= 1:
        return []
    middle = min(max(fmean(scores), 0.5 / case.images), 1 - 0.5 / case.images)
    error = math.sqrt(2 * middle * (1 - middle) / case.images)
    apart = scores[0] - scores[-1]
    if apart >= 2 * error:
        return []
    return [
        Verdict(
            "noise larger than the differences",
            "The validation split is too small to tell the best trials apart.",
            f"The {len(scores)} best lie within {apart:.4f}; with {case.images} images two equal recipes differ by "
            f"{error:.4f} (standard deviation) by chance.",
            ("--folds 5",),
        )
    ]


def _best(case: Case) -> list[float]:
    """Scores of the best COMPLETE trials, the best first."""
    scores = [case.history.score(run.number) for run in case.history if run.status is Status.COMPLETE]
    return sorted(scores, reverse=True)[:BEST]

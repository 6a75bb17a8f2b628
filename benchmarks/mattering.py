"""Which parameters are said to matter, where it is known which do: searches on made-up curves.

    python benchmarks/mattering.py                # a quarter of an hour
    python benchmarks/mattering.py --studies 10

Three of eleven parameters decide the score: the learning rate, the strength of augmentation, the strategy. Each study
is searched in one of four ways, and then asked what mattered: by Optuna's two evaluators, as documented, on the
COMPLETE trials, and by the project (`search.insight`). Right is who puts the three first. The project also says which
are told from chance: how many of the three it names, and in how many studies it names another.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections import defaultdict
from statistics import fmean

import _package  # noqa: F401
import numpy as np
import optuna
from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator
from optuna.trial import TrialState, create_trial

from search.decisions.history import History, Status
from search.insight.effects import effects_of
from search.insight.surface import Surface
from search.searchers.suggest import distributions_of
from search.simulation import simulate
from spaces import Choice, Float, Int, Params, SearchSpace, Switch

EPOCHS, TRIALS, NOISE = 27, 60, 0.006
SPACE = SearchSpace(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "weight_decay": Float(1e-6, 1e-2, log=True),
        "batch_size": Int(8, 128, log=True),
        "dropout": Float(0.0, 0.5),
        "augmentation": Float(0.0, 1.0),
        "smoothing": Float(0.0, 0.2),
        "momentum": Float(0.5, 0.99),
        "schedule": Choice(("cosine", "linear", "step")),
        "strategy": Switch(
            {
                "full": SearchSpace({}),
                "layer_decay": SearchSpace({"ratio": Float(0.01, 1.0, log=True)}),
                "head": SearchSpace({"width": Float(0.0, 1.0)}),
            }
        ),
    }
)
PLANTED = {"lr", "augmentation", "strategy"}
SEARCHES = {
    "random recipes, full length": ("random", "none"),
    "random recipes, ASHA from 3 epochs": ("random", "asha"),
    "Optuna's TPE, ASHA from 3 epochs": ("tpe", "asha"),
    "the default": ("default", "default"),
}


def searched(searcher: str, scheduler: str, seed: int) -> History:
    """A search of four workers, on curves of which high learning rates have the faster ones."""
    number = iter(range(10**6))

    def curve(params: Params) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([seed, next(number)])
        rate = math.log10(float(params["lr"]))
        final = 0.85 - 0.04 * (rate + 2.2) ** 2 - 0.3 * (float(params["augmentation"]) - 0.7) ** 2
        final += {"full": 0.0, "layer_decay": 0.02, "head": -0.08}[str(params["strategy"])]
        final += NOISE * rng.normal()
        pace = EPOCHS / 6 * (1 - 0.5 * (rate + 1) / 3)
        rise = (1 - np.exp(-np.arange(1, EPOCHS + 1) / pace)) / (1 - math.exp(-EPOCHS / pace))
        return 0.1 + (final - 0.1) * rise + NOISE * rng.normal(size=EPOCHS), np.ones(EPOCHS)

    return simulate(
        SPACE, curve, EPOCHS, trials=TRIALS, searcher=searcher, scheduler=scheduler, seed=seed, grace=3
    ).runs


def of_optuna(history: History, evaluator: optuna.importance.BaseImportanceEvaluator) -> list[str]:
    """Parameters by an evaluator of Optuna's, the most important first: COMPLETE trials with their best scores."""
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        [
            create_trial(
                state=TrialState.COMPLETE, value=history.score(run.number), params=dict(run.params),
                distributions=distributions_of(SPACE, run.params),
            )
            for run in history
            if run.status is Status.COMPLETE
        ]
    )  # fmt: skip
    found = evaluator.evaluate(study)
    return sorted(found, key=lambda name: -found[name])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=40)
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    print(f"{TRIALS} trials of up to {EPOCHS} epochs, n = {given.studies}\n")
    print(
        "| search | epochs | fANOVA right | PED-ANOVA right | project right | names of the three | "
        "names another | seconds |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for words, (searcher, scheduler) in SEARCHES.items():
        seen: dict[str, list[float]] = defaultdict(list)
        for seed in range(given.studies):
            history = searched(searcher, scheduler, seed)
            seen["epochs"].append(len(history.events))
            fanova = of_optuna(history, FanovaImportanceEvaluator(seed=0))
            ped = of_optuna(history, PedAnovaImportanceEvaluator())
            began = time.perf_counter()
            effects = effects_of(history, Surface(history))
            seen["seconds"].append(time.perf_counter() - began)
            ranked = [effect.name for effect in sorted(effects, key=lambda effect: -effect.share)]
            told = {effect.name for effect in effects if effect.told}
            for way, names in (("fanova", fanova), ("ped", ped), ("ours", ranked)):
                seen[way].append(set(names[: len(PLANTED)]) == PLANTED)
            seen["named"].append(len(told & PLANTED))
            seen["another"].append(bool(told - PLANTED))
        mean = {key: fmean(values) for key, values in seen.items()}
        print(
            f"| {words} | {mean['epochs']:.0f} | {mean['fanova']:.0%} | {mean['ped']:.0%} | {mean['ours']:.0%} | "
            f"{mean['named']:.1f} | {mean['another']:.0%} | {mean['seconds']:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

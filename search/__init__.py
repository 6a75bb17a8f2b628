"""What decides, runs and records: studies over Ray Tune, their ledger in Optuna, their projection in MLflow.

Names are imported when they are first used: `import search` loads neither ray nor mlflow nor torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Answer": "search.result",
    "Comparison": "search.comparison.comparison",
    "ForecastPruner": "search.optuna_adapters",
    "ForecastSampler": "search.optuna_adapters",
    "KeepAway": "search.searchers.keep_away",
    "Objective": "search.objective",
    "Store": "search.store.layout",
    "Study": "search.study",
    "StudyError": "search.errors",
    "StudyResult": "search.result",
    "StudySpec": "search.spec",
    "TrialSummary": "search.result",
    "compare": "search.comparison.compare",
    "optuna_suggest": "search.searchers.suggest",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

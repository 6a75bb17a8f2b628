"""What a trial does: data, networks, fine-tuning strategies and the AMP loop. Knows no Ray, Optuna or MLflow.

Names are imported when they are first used: a command that only lists studies need not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from trainables import lazy_compiler

lazy_compiler.install()  # before torch, timm or torchvision is imported

_HOMES = {
    "Dataset": "trainables.data",
    "Diagnosis": "trainables.diagnosis.diagnosis",
    "Diverged": "trainables.protocol",
    "EpochRecord": "trainables.protocol",
    "FineTuning": "trainables.finetuning",
    "Fixed": "trainables.config",
    "Images": "trainables.data",
    "Material": "trainables.material",
    "Trainable": "trainables.protocol",
    "TrialConfig": "trainables.config",
    "build": "trainables.builder",
    "diagnose": "trainables.diagnosis.registry",
    "from_params": "trainables.builder",
    "load_dataset": "trainables.data",
    "prepare": "trainables.material",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

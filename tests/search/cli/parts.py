"""What the tests of this folder share."""

from __future__ import annotations

FINISHED = {
    "name": "small", "data": "tests.search.parts:quadrants", "model": "test_resnet", "epochs": 3,
    "pretrained": False, "repeats": 2, "batch_size": {"low": 8, "high": 24, "default": 16}, "trials": 2,
    "finalists": 0,
}  # fmt: skip


def val_losses(out: str) -> list[str]:
    return [line.split("val/loss ")[1].split()[0] for line in out.splitlines() if "val/loss" in line]

"""Real photographs and real weights: what is odd in them is found, and a study on them runs to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from search import Store, Study
from search.check import check_data

SHARED = Path(__file__).parents[4] / "shared"
GROCERY, SIGNS = SHARED / "data" / "grocery", SHARED / "data" / "sign_digits"
WEIGHTS = SHARED / "weights" / "mobilenetv1_025.safetensors"

pytestmark = pytest.mark.skipif(
    not (GROCERY.is_dir() and SIGNS.is_dir() and WEIGHTS.is_file()),
    reason="needs the photographs and weights in a folder `shared` beside the checkout",
)


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FINETUNE_SEARCH_CACHE", str(tmp_path / "cache"))


def test_what_is_odd_in_real_photographs_is_found():
    """Three of 2,062 hands are 3024 pixels wide and turned by EXIF; two are one scene."""
    found = {finding.kind: finding for finding in check_data(str(SIGNS)).report.findings}
    assert found["rotated"].count == found["large_images"].count == 3
    assert found["near_duplicates"].count == 1
    assert not {"unreadable", "truncated", "conflicting_labels", "class_imbalance"} & set(found)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_study_on_real_photographs_runs_to_its_end_and_the_transfer_pays(tmp_path):
    study = Study.load(
        "images",
        store=Store(tmp_path / "mlruns"),
        data=str(GROCERY),
        model="examples.quarter_mobilenet:quarter_mobilenet",
        pretrained=str(WEIGHTS),
        mean=[0.5, 0.5, 0.5],
        std=[0.5, 0.5, 0.5],
        image_size=96,
        trials=3,
        epochs=2,
        warmup_epochs=0.5,
        finalists=1,
        finalist_seeds=1,
        **{"strategy.full.lr": 1e-3, "strategy": "full"},
    )
    result = study.run()
    assert len(result.trials) == 3
    assert result.answer is not None
    assert result.answer.winner.test[0] > 0.4  # the largest class is a tenth of the images

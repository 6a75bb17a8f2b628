import json
import math

import numpy as np
import pytest
import torch

from trainables.protocol import EpochRecord

ODD = {"val/loss": math.nan, "lr/layer_0": math.inf, "a.b/c d": -math.inf, "plain": 0.1}


def test_a_record_survives_being_text_whatever_its_figures_are():
    record = EpochRecord(3, 0.5, ODD, "patience", {"confusion": [[1, 0], [2, 3]], "auroc": None})
    again = EpochRecord.from_json(record.to_json())
    assert repr(again) == repr(record)


@pytest.mark.parametrize("kind", [np.float32, np.float64, torch.tensor, int])
def test_figures_of_a_trainable_of_ones_own_may_be_numpys_or_torchs(kind):
    data = json.loads(EpochRecord(1, kind(1), {"loss": kind(2)}).to_json())
    assert (data["score"], data["metrics"]) == (1.0, {"loss": 2.0})


def test_a_record_of_an_older_checkpoint_has_no_end_and_no_report():
    assert EpochRecord.from_dict({"epoch": 1, "score": 0.5, "metrics": {}}) == EpochRecord(1, 0.5)

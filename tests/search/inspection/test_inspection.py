"""The winner's network is looked at on validation images; what is found is kept, and is that network's."""

from __future__ import annotations

import base64
import io
import json

import mlflow
import numpy as np
import pytest
import torch
from PIL import Image

from search import register
from search.answer.confirmation import OPENINGS
from search.checkpoints import Checkpoints
from search.execution.names import BEST
from search.inspection.inspect import inspect
from search.inspection.inspection import FILE, FORMAT, Inspection
from search.inspection.pictures import small
from search.overview import load_study
from search.report.report import Report
from search.winner import find_winner
from spaces import InputError
from tests.conftest import QUIET_CPU, small_dataset
from tests.search.cli.parts import FINISHED
from tests.search.finished import finish
from trainables.soundness.corruptions import CORRUPTIONS
from trainables.soundness.outcomes import outcomes

ONE = {**FINISHED, **QUIET_CPU, "trials": 1, "epochs": 2}


def studied(store, **changes):
    finish(store, {**ONE, **changes})
    return load_study(store, "small")


def pixels_of(address: str) -> np.ndarray:
    head, _, data = address.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_what_is_found_is_of_the_winners_network_and_of_validation_images(store):
    study, data = studied(store), small_dataset()
    assert study.inspection() is None
    found = study.inspect(images=1000, flat=True)
    winner = find_winner(study, study.result())
    assert found.trial == winner.trial.number
    assert found.soundness.accuracy == winner.trial.score == found.robustness.clean
    assert found.soundness.images == found.robustness.images == len(data.val)

    sure = outcomes(winner.logits, winner.labels)
    wrong = (~sure.right).nonzero().flatten().tolist()
    assert 0 < len(wrong) <= 24
    assert sorted(one.name for one in found.misses) == sorted(f"val {row}" for row in wrong)
    assert [one.confidence for one in found.misses] == sorted(
        (float(sure.confidence[row]) for row in wrong), reverse=True
    )
    for one in found.misses:
        row = int(one.name.removeprefix("val "))
        assert (one.true, one.guessed) == (int(winner.labels[row]), int(sure.guesses[row]))
        assert np.array_equal(pixels_of(one.picture), data.val.pixels[row, :, :, 0])
        assert len(one.alike) == 3
        likeness = [other.similarity for other in one.alike]
        assert likeness == sorted(likeness, reverse=True)
        for other in one.alike:
            row = int(other.name.removeprefix("train "))
            assert other.label == data.train.labels[row]
            assert np.array_equal(pixels_of(other.picture), data.train.pixels[row, :, :, 0])
    assert found.known == len(data.train)

    # Grey images have no colours to lose.
    assert set(found.robustness.accuracies) == {name for name, one in CORRUPTIONS.items() if not one.colour}
    assert found.flatness.loss > 0
    assert study.inspect(images=8).robustness.images == 8
    assert study.inspection().flatness is None
    ledger = register.read_ledger(store, register.confirm_name("small"), study.spec.search_space())
    assert ledger.noted(OPENINGS, []) == []


def test_it_is_kept_until_another_trial_wins_or_another_study_has_the_name(store):
    study = studied(store, trials=2)
    found = inspect(study, images=4)
    assert study.inspection() == found == inspect(study, images=4)
    place = Checkpoints(store, "small").root
    assert Inspection.read(place.get(FILE)) == found
    other = json.loads(found.written())
    for change in (
        {"trial": 1 - found.trial},
        {"study": "another"},
        {"format": FORMAT + 1},
        {"soundness": {}},
    ):
        place.put(FILE, json.dumps({**other, **change}).encode())
        assert study.inspection() is None
    place.put(FILE, b"\x00 no JSON")
    assert study.inspection() is None
    place.put(FILE, found.written())
    assert study.inspection() == found


def test_mlflow_gets_the_page_with_it(store):
    study = studied(store)
    inspect(study, images=4)
    client = mlflow.MlflowClient(store.mlflow_uri)
    experiment = client.get_experiment_by_name("small")
    [run] = client.search_runs([experiment.experiment_id])
    page = client.download_artifacts(run.info.run_id, "report.html")
    with open(page) as file:
        assert "Its surest mistakes" in file.read()
    assert run.data.metrics["winner/spoilt_accuracy"] == study.inspection().robustness.mean


def test_the_networks_of_folds_are_looked_at_on_their_own_part(store):
    study = studied(store, folds=2)
    found, winner = inspect(study, images=1000), find_winner(study, study.result())
    assert found.judged_by == winner.judged_by == f"part {winner.fold + 1} of 2"
    assert found.soundness.images == found.robustness.images == found.known == 40
    assert found.soundness.accuracy == float((winner.logits.argmax(1) == winner.labels).double().mean())


def test_a_network_without_mistakes_has_none_to_show(store):
    study = studied(store)
    winner = find_winner(study, study.result())
    place = Checkpoints(store, "small").place("search", 0)
    state = place.load(BEST)
    # A classifier that is right by construction: from the features of each class's own mean.
    data = small_dataset()
    rows = torch.from_numpy(np.ascontiguousarray(data.val.pixels)).permute(0, 3, 1, 2).float() / 255
    model = winner.network.cpu().eval()
    with torch.inference_mode():
        features = model.forward_head(
            model.forward_features(winner.material.normalise(rows)), pre_logits=True
        )
    ones = torch.cat([features, torch.ones(len(features), 1)], 1).double()
    target = 20.0 * torch.nn.functional.one_hot(torch.from_numpy(data.val.labels), 4).double()
    fit = torch.linalg.lstsq(ones, target).solution.float()
    state["weights"]["fc.weight"], state["weights"]["fc.bias"] = fit[:-1].T.contiguous(), fit[-1].contiguous()
    place.save(BEST, state)
    found = inspect(study, images=4)
    assert found.soundness.accuracy == 1.0
    assert found.misses == []
    assert found.soundness.deferral is None
    report = Report(study.result(), study.spec, study.spec.search_space(), inspection=found)
    from search.report.page import page

    assert "No validation image is taken for another." in page(report)


def test_what_cannot_be_looked_at_is_refused(store):
    study = studied(store)
    with pytest.raises(InputError, match="images must be 1 or more, but got 0"):
        study.inspect(images=0)
    Checkpoints(store, "small").place("search", 0).clear()
    with pytest.raises(InputError, match=r"must have its weights, but those of trial 0 of 'small' are gone"):
        study.inspect()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_are_small_and_of_their_first_channel_where_they_are_not_coloured(channels):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (20, 30, channels), dtype=np.uint8)
    shown = pixels_of(small(pixels))
    assert np.array_equal(shown, pixels if channels == 3 else pixels[:, :, 0])
    large = small(np.repeat(np.repeat(pixels, 20, 0), 20, 1))
    assert large.startswith("data:image/jpeg;base64,")
    assert Image.open(io.BytesIO(base64.b64decode(large.partition(",")[2]))).size == (96, 64)
    assert len(large) < 20_000

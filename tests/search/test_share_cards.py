"""What a study's trials share, as far as its spec and its space say it."""

from __future__ import annotations

import pytest

from search.execution.cluster import LocalCluster
from search.execution.resources import Resources, find_resources
from search.execution.sharing import are_alike, divided, largest_batch, most_workers, share_cards
from search.reading import load_spec
from spaces import Choice, Float, InputError, Int, SearchSpace, Switch
from trainables.config import Fixed


@pytest.mark.parametrize(
    ("workers", "gpus", "expected"),
    [
        (None, 0, Resources(4, 1, 0.0, 4)),  # one process, on all cores that they have
        (None, 2, Resources(8, 1, 0.25, 4)),  # one on each card
        (6, 2, Resources(6, 1, 0.25, 4)),
        (2, 0, Resources(2, 1, 0.0, 2)),  # no more than there are
        (3, 1, Resources(3, 1, 1 / 3, 3)),
        (12, 2, Resources(8, 1, 0.25, 4)),  # nor than have a place: each process has a card to itself
        (6, 0, Resources(6, 1, 0.0, 4)),  # without cards two processes
    ],
)
def test_trials_of_one_process(workers, gpus, expected):
    assert find_resources(workers, 1, None, gpus, together=4) == expected


def test_trials_that_divide_a_card():
    whole = find_resources(None, 1, None, 2)
    assert whole.gpus_per_trial == 1
    assert divided(whole, None, 5, 2) == Resources(10, 1, 0.2)
    assert divided(whole, 3, 5, 2) == Resources(3, 1, 0.2)
    assert divided(whole, None, 0, 2) == Resources(2, 1, 1.0)  # a machine with fewer cores than cards


def test_without_a_card_nothing_is_measured():
    spec = load_spec("digits", {})
    resources = find_resources(2, 1, None, 0)
    assert (
        share_cards(resources, spec, SearchSpace({}), Fixed(device="cpu"), None, LocalCluster(1)) is resources
    )
    assert most_workers(resources, spec, 0) == 2


def test_ray_has_room_for_what_may_be_decided():
    open_, said = load_spec("digits", {}), load_spec("digits", {"gpus_per_trial": 0.5})
    resources = find_resources(None, 1, None, 1)
    assert most_workers(resources, open_, 1) == 16
    assert most_workers(resources, said, 1) == resources.workers
    assert most_workers(resources, load_spec("digits", {"workers": 1}), 1) == 1


@pytest.mark.parametrize(
    ("space", "largest"),
    [
        ({"batch_size": Int(8, 64)}, 64),
        ({"batch_size": Int(8, 512)}, 100),  # no more than there are images
        ({"batch_size": Choice([16, 48])}, 48),
        ({"weight_decay": Float(0, 1)}, 32),
    ],
)
def test_the_largest_batch_of_a_space(space, largest):
    assert largest_batch(SearchSpace(space), Fixed(batch_size=32), images=100) == largest


@pytest.mark.parametrize(
    ("settings", "law"),
    [
        ({"together": 0}, "`together >= 1` must hold, but got together=0"),
        ({"together": 2, "gpus_per_trial": 0.5}, "`together` above 1 needs `gpus_per_trial` left out"),
        ({"together": 2, "trainable": "tests.search.parts:Logged"}, "needs the project's own core"),
    ],
)
def test_what_cannot_be_together_is_said(settings, law):
    with pytest.raises(InputError, match=law):
        load_spec("digits", settings)


@pytest.mark.parametrize(
    ("space", "fixed", "alike"),
    [
        ({"weight_decay": Float(0, 1)}, {}, True),
        ({"batch_size": Int(8, 64)}, {}, False),  # another pass for almost each trial
        ({"batch_size": Int(32, 32)}, {}, True),
        ({}, {"precision": "bf16"}, False),
        ({}, {"deterministic": True}, False),
        ({}, {"compile": True}, False),
        ({}, {"transfer": "delta"}, False),
        ({}, {"transfer": "l2_sp"}, True),
        ({}, {"batchnorm": "stochastic"}, False),
    ],
)
def test_trials_are_together_by_themselves_only_where_their_passes_are_alike(space, fixed, alike):
    one = {"strategy": Switch({"full": SearchSpace({"lr": Float(1e-4, 1e-2)})})}
    settings = Fixed(**{"device": "cpu", "precision": "fp32", **fixed})
    assert are_alike(SearchSpace(one | space), settings) is alike


def test_strategies_that_are_searched_are_not_alike():
    two = {name: SearchSpace({"lr": Float(1e-4, 1e-2)}) for name in ("full", "feature_extraction")}
    assert not are_alike(SearchSpace({"strategy": Switch(two)}), Fixed(device="cpu", precision="fp32"))


def test_how_trials_share_may_change_when_a_study_goes_on():
    from search.spec import CHANGEABLE

    assert {"together", "gpus_per_trial", "workers"} <= CHANGEABLE

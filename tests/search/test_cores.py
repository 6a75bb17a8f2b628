"""How many cores a trial has where nobody says it, and how many trials a machine's memory."""

from __future__ import annotations

import psutil
import pytest

from search.execution.cluster import LocalCluster
from search.execution.cores import MIB, ROOM, with_threads, within_memory
from search.execution.resources import Resources, find_resources
from search.reading import load_spec
from search.spec import StudySpec
from tests.conftest import small_dataset
from trainables.material import Material, prepare

NETWORK = "tests.search.threaded:Network"


def spec_of(**settings: object) -> StudySpec:
    held = {"model": NETWORK, "pretrained": False, "precision": "fp32", "batch_size": 8, "device": "cpu"}
    return load_spec("digits", {**held, **settings})


def material_of(spec: StudySpec) -> Material:
    return prepare(small_dataset(), spec.fixed())


@pytest.fixture
def cluster(monkeypatch) -> LocalCluster:
    monkeypatch.setattr("search.execution.cluster.available_cores", lambda: 8)
    return LocalCluster(1)


def taken(spec: StudySpec, cluster: LocalCluster, known: int | None = None, gpus: int = 0) -> tuple[int, int]:
    """Threads of a trial, and trials at a time."""
    together = 1 if spec.together == "auto" else spec.together
    resources = find_resources(
        spec.workers, spec.cores, spec.gpus_per_trial, gpus, together, 8, spec.processes
    )
    found, resources = with_threads(spec, resources, cluster, material_of(spec), known)
    assert found == spec.model_copy(update={"cpus_per_trial": found.cpus_per_trial})
    return found.threads, resources.workers


@pytest.mark.parametrize(
    ("settings", "threads", "workers"),
    [
        ({}, 1, 8),  # a core each: nothing is idle
        ({"workers": 2}, 2, 2),  # there are four for each, and two are as quick
        ({"workers": 5}, 1, 5),  # what is left over is not one for each
        ({"trials": 3}, 2, 4),  # more trials at a time than there are would do nothing
        ({"workers": 2, "model_args": {"alone": True}}, 1, 2),
        ({"workers": 2, "cpus_per_trial": 4}, 4, 2),  # as it is asked for
        ({"workers": 2, "together": 2}, 1, 2),
        ({"workers": 2, "trainable": "tests.search.parts:Logged"}, 1, 2),  # who knows what it does with them
        ({"workers": 2, "ray_address": "10.0.0.1:6379"}, 1, 2),
        ({"processes_per_trial": 2, "workers": 2}, 1, 2),
    ],
)
def test_a_trial_has_idle_cores_if_they_make_it_quicker(settings, threads, workers, cluster):
    assert taken(spec_of(**settings), cluster) == (threads, workers)


def test_what_a_study_began_with_is_kept_as_far_as_the_machine_has_it(cluster, monkeypatch):
    monkeypatch.setattr("trainables.settling.threads_that_pay", pytest.fail)
    assert taken(spec_of(), cluster, known=4) == (4, 2)
    assert taken(spec_of(workers=1), cluster, known=1) == (1, 1)
    assert taken(spec_of(), cluster, known=16) == (8, 1)


def test_trials_at_a_time_are_as_many_as_memory_has_room_for():
    each = ROOM * psutil.virtual_memory().available / 4.5 / MIB
    wide = Resources(64, 1, 0.0)
    assert within_memory(spec_of(), wide, each).workers == 4
    assert within_memory(spec_of(), wide, 100 * each).workers == 1
    assert within_memory(spec_of(), Resources(3, 1, 0.0), each).workers == 3
    for spec, resources, memory in (
        (spec_of(), wide, None),  # not measured
        (spec_of(workers=64), wide, each),  # asked for
        (spec_of(), Resources(64, 1, 0.5), each),  # it is the cards' memory that counts
        (spec_of(ray_address="auto"), wide, each),  # and that of other machines
    ):
        assert within_memory(spec, resources, memory) is resources

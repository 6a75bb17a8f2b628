"""What a study uses, said in a few settings."""

import pytest

from search.execution.resources import Resources, find_resources
from search.feasibility import check_several
from search.reading import load_spec
from spaces import InputError, load_space
from tests.conftest import QUIET_CPU, small_dataset
from trainables.config import Fixed
from trainables.material import prepare


@pytest.mark.parametrize(
    ("settings", "processes", "threads", "cores"),
    [
        ({}, 1, 1, 1),
        ({"cpus_per_trial": "auto"}, 1, 1, 1),
        ({"cpus_per_trial": 4}, 1, 4, 4),
        ({"processes_per_trial": 2}, 2, 1, 2),  # one core each at least
        ({"processes_per_trial": 2, "cpus_per_trial": 6}, 2, 3, 6),
        ({"gpus_per_trial": 4}, 4, 1, 4),
        ({"gpus_per_trial": 0.5}, 1, 1, 1),
        ({"gpus_per_trial": 2, "processes_per_trial": 2}, 2, 1, 2),
    ],
)
def test_processes_and_their_cores(settings, processes, threads, cores):
    spec = load_spec("digits", settings)
    assert (spec.processes, spec.threads, spec.cores) == (processes, threads, cores)


@pytest.mark.parametrize(
    ("settings", "law"),
    [
        ({"processes_per_trial": 2, "gpus_per_trial": 0.5}, "`gpus_per_trial == processes_per_trial` must hold"),
        ({"processes_per_trial": 2, "gpus_per_trial": 0}, "`gpus_per_trial == processes_per_trial` must hold"),
        ({"processes_per_trial": 1, "gpus_per_trial": 2}, "`gpus_per_trial == processes_per_trial` must hold"),
        ({"processes_per_trial": 2, "cpus_per_trial": 3}, "`cpus_per_trial` must be a multiple of"),
        ({"processes_per_trial": 2, "together": 2}, "one of `together` and `processes_per_trial` must be 1"),
        ({"processes_per_trial": 2, "compile": True}, "`compile` needs trials of one process"),
        ({"sharded": True}, "`sharded` needs `processes_per_trial` above 1"),
        (
            {"sharded": True, "processes_per_trial": 2, "trainable": "tests.search.parts:Logged"},
            "`sharded` needs the project's own core",
        ),
    ],
)  # fmt: skip
def test_what_does_not_go_together(settings, law):
    with pytest.raises(InputError) as refused:
        load_spec("digits", settings)
    assert law in str(refused.value)


def test_what_is_measured_for_one_process_does_not_hold_for_several():
    assert load_spec("digits", {"compile": "auto"}).fixed().compile == "auto"
    assert load_spec("digits", {"compile": "auto", "processes_per_trial": 2}).fixed().compile is False


@pytest.mark.parametrize(
    ("workers", "gpus", "cores", "found"),
    [
        (None, 0, 8, Resources(4, 2, 0.0, processes=2)),
        (None, 4, 32, Resources(2, 2, 2.0, processes=2)),
        (3, 4, 32, Resources(3, 2, 2.0, processes=2)),
    ],
)
def test_resources_of_trials_of_two_processes(workers, gpus, cores, found):
    assert find_resources(workers, 2, None, gpus, 1, cores, 2) == found
    assert found.bundles == [{"CPU": 1.0, "GPU": 1.0} if gpus else {"CPU": 1.0}] * 2


def test_no_more_processes_than_gpus():
    with pytest.raises(InputError, match=r"`processes_per_trial <= GPUs` must hold, but got 4 with 2"):
        find_resources(None, 4, None, 2, 1, 8, 4)


def test_a_space_that_several_processes_cannot_train_is_refused():
    fixed = Fixed(model="test_resnet", pretrained=False, epochs=9, repeats=1, **QUIET_CPU)
    material = prepare(small_dataset(), fixed)
    space = load_space("finetune").narrow({"batch_size": {"low": 8, "high": 24, "default": 16}})
    check_several(space, fixed, material, 8, sharded=False)
    with pytest.raises(
        InputError, match=r"`batch_size >= processes_per_trial` must hold, but got batch_size=8 with 9"
    ):
        check_several(space, fixed, material, 9, sharded=False)
    with pytest.raises(
        InputError, match=r"`sharded` needs strategy among .*, but got strategy='gradual_unfreezing'"
    ):
        check_several(space, fixed, material, 2, sharded=True)
    check_several(space.narrow({"strategy": ["full", "layer_decay"]}), fixed, material, 2, sharded=True)
    with pytest.raises(InputError, match="`compile` needs trials of one process"):
        check_several(space, fixed.model_copy(update={"compile": True}), material, 2, sharded=False)

import optuna
from hypothesis import given
from hypothesis import strategies as st

from search.tracking.patch import Point, RunPatch, merge, patch_of_trial
from tests.search.tracking.parts import EPOCH_MS, patches


@given(first=st.lists(patches, max_size=4), second=st.lists(patches, max_size=4))
def test_merging_in_two_steps_is_merging_in_one(first: list[RunPatch], second: list[RunPatch]) -> None:
    assert merge([*merge(first), *second]) == merge([*first, *second])
    assert len({patch.number for patch in merge(first + second)}) == len(merge(first + second))


def test_the_same_ledger_gives_the_same_patch(ledger: optuna.Study) -> None:
    for trial in ledger.trials[:4]:
        assert patch_of_trial(trial) == patch_of_trial(trial)
    assert [point for point in patch_of_trial(ledger.trials[0]).points if point.key == "score"] == [
        Point("score", best, EPOCH_MS + 1000 * epoch, epoch)
        for epoch, best in ((1, 0.5), (2, 0.52), (3, 0.52))
    ]

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.schedules import SCHEDULES, constant, cosine, make_schedule, warm_up

progress = st.floats(0, 1)
shares = st.floats(0, 0.99)


@given(progress)
def test_cosine_is_its_closed_form(p):
    assert cosine(p) == pytest.approx(math.cos(math.pi * p / 2) ** 2)


def test_cosine_at_known_points():
    assert [cosine(p) for p in (0, 1 / 3, 0.5, 2 / 3, 1)] == pytest.approx([1, 0.75, 0.5, 0.25, 0])


@pytest.mark.parametrize("name", SCHEDULES)
@given(p=progress, share=shares)
def test_every_schedule_stays_between_0_and_1(name, p, share):
    assert 0 <= make_schedule(name, share)(p) <= 1


@given(p=progress, share=st.floats(0.01, 0.99))
def test_warm_up_is_linear_and_then_the_whole_of_what_follows(p, share):
    schedule = warm_up(cosine, share)
    assert schedule(p * share * 0.999) == pytest.approx(p * 0.999)
    assert schedule(share + p * (1 - share)) == pytest.approx(cosine(p), abs=1e-9)


def test_no_warm_up_is_the_schedule_itself():
    assert warm_up(constant, 0) is constant


@pytest.mark.parametrize("share", [-0.1, 1.0, 2.0, float("nan")])
def test_a_warm_up_as_long_as_training_is_refused(share):
    with pytest.raises(ValueError, match=r"0 <= share < 1"):
        warm_up(cosine, share)

import math
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spaces import InvalidParams
from trainables.parts import PARTS, PartConfig, part_class
from trainables.schedules import WarmUp, make_schedule

NAMES = list(PARTS["schedule"])
CYCLED = ["one_cycle", "cyclical"]
progress = st.floats(0, 1)
shares = st.floats(0, 0.99)


def schedule(name, share=0.0, start=0.0, **options):
    return make_schedule(PartConfig("schedule", name, options), share, start)


@pytest.mark.parametrize("name", NAMES)
@given(p=progress, share=shares, start=shares)
def test_every_schedule_stays_between_0_and_1(name, p, share, start):
    made = schedule(name, share, start)
    assert -1e-12 <= made(p) <= 1 + 1e-12
    assert 0 <= made.momentum(p) <= 1
    assert made(p) == made(p)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in CYCLED])
@given(p=progress)
def test_most_leave_the_momentum_alone(name, p):
    assert schedule(name).momentum(p) == 1


@pytest.mark.parametrize("name", CYCLED)
@given(p=progress, q=progress)
def test_momentum_goes_the_other_way(name, p, q):
    made = schedule(name)
    if made(p) < made(q) - 1e-9 and (name == "cyclical" or (p < 0.3) == (q < 0.3)):
        assert made.momentum(p) >= made.momentum(q)


# --- closed forms --------------------------------------------------------------------------------------

FORMS = {
    "constant": ({}, lambda p: 1.0),
    "linear": ({"end": 0.2}, lambda p: 1 - 0.8 * p),
    "cosine": ({"end": 0.1}, lambda p: 0.1 + 0.9 * math.cos(math.pi * p / 2) ** 2),
    "exponential": ({"end": 0.05}, lambda p: math.exp(p * math.log(0.05))),
    "step": ({"every": 0.3, "factor": 0.5}, lambda p: 0.5 ** sum(p >= 0.3 * k - 1e-9 for k in (1, 2, 3))),
    "stable_decay": ({"decay": 0.4}, lambda p: 1 - math.sqrt(max(0.0, (p - 0.6) / 0.4))),
    "plateau": ({}, lambda p: 1.0),
}


@pytest.mark.parametrize("name", FORMS)
@given(p=progress)
def test_closed_forms(name, p):
    options, form = FORMS[name]
    assert schedule(name, **options)(p) == pytest.approx(form(p), abs=1e-6)


def torchs(make, steps: int, momentum=0.9) -> list[tuple[float, float]]:
    """Rate and momentum before each step, of a scheduler of torch's at a peak rate of 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0, momentum=momentum)
    scheduler = make(optimizer)
    seen = []
    for _ in range(steps):
        group = optimizer.param_groups[0]
        seen.append((group["lr"], group["momentum"]))
        optimizer.step()
        scheduler.step()
    return seen


def test_one_cycle_is_torchs():
    steps, lrs = 101, torch.optim.lr_scheduler
    theirs = torchs(
        lambda o: lrs.OneCycleLR(
            o, 1.0, total_steps=steps, pct_start=0.31, div_factor=25, final_div_factor=4,
            base_momentum=0.85, max_momentum=0.95,
        ),
        steps,
    )  # fmt: skip
    # Torch's rise takes 0.31 of the steps less one, of all steps less one.
    ours = schedule(
        "one_cycle", rise=(0.31 * steps - 1) / (steps - 1), start=1 / 25, end=0.01, dip=0.85 / 0.95
    )
    for index, (rate, momentum) in enumerate(theirs):
        assert ours(index / (steps - 1)) == pytest.approx(rate, abs=1e-6)
        assert 0.95 * ours.momentum(index / (steps - 1)) == pytest.approx(momentum, abs=1e-6)


def test_cyclical_is_torchs_triangle():
    lrs = torch.optim.lr_scheduler
    for mode, shrink in (("triangular", 1.0), ("triangular2", 0.5)):
        theirs = torchs(
            lambda o, mode=mode: lrs.CyclicLR(
                o, base_lr=0.1, max_lr=1.0, step_size_up=10, mode=mode, base_momentum=0.85, max_momentum=0.95
            ),
            60,
        )
        ours = schedule("cyclical", cycles=3, low=0.1, shrink=shrink, dip=0.85 / 0.95)
        for index, (rate, momentum) in enumerate(theirs):
            assert ours(index / 60) == pytest.approx(rate, abs=1e-6)
            assert 0.95 * ours.momentum(index / 60) == pytest.approx(momentum, abs=1e-6)


def test_cosine_restarts_are_torchs():
    lrs = torch.optim.lr_scheduler
    theirs = torchs(lambda o: lrs.CosineAnnealingWarmRestarts(o, T_0=10, T_mult=2), 70)
    ours = schedule("cosine_restarts", cycles=3, stretch=2.0)
    for index, (rate, _) in enumerate(theirs):
        assert ours(index / 70) == pytest.approx(rate, abs=1e-6)
    halves = schedule("cosine_restarts", cycles=2, shrink=0.5)
    assert [halves(p) for p in (0, 0.25, 0.5, 0.75, 1)] == pytest.approx([1, 0.5, 0.5, 0.25, 0])


def test_step_and_exponential_are_torchs():
    lrs = torch.optim.lr_scheduler
    for stair in (20, 6):  # 42 / 60 lies on the seventh stair of 0.1, though 0.7 / 0.1 is less than 7
        for index, (rate, _) in enumerate(torchs(lambda o, n=stair: lrs.StepLR(o, n, 0.1), 60)):
            assert schedule("step", every=stair / 60, factor=0.1)(index / 60) == pytest.approx(rate)
    gamma = 0.01 ** (1 / 60)
    for index, (rate, _) in enumerate(torchs(lambda o: lrs.ExponentialLR(o, gamma), 60)):
        assert schedule("exponential", end=0.01)(index / 60) == pytest.approx(rate)


@given(scores=st.lists(st.integers(0, 20).map(lambda n: n / 200), min_size=1, max_size=40))
def test_plateau_is_torchs(scores):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="max", factor=0.5, patience=2, threshold=0.01, threshold_mode="abs", eps=0.0
    )
    ours = schedule("plateau", factor=0.5, patience=2, improvement=0.01)
    assert ours.brake([]) == 1
    for count, score in enumerate(scores, 1):
        theirs.step(score)
        assert ours.brake(scores[:count]) == pytest.approx(optimizer.param_groups[0]["lr"])


# --- warm-up -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@given(p=progress, share=st.floats(0.01, 0.99), start=st.floats(0, 0.9))
def test_warm_up_is_linear_to_where_the_schedule_begins_and_then_all_of_it(name, p, share, start):
    plain, warm = schedule(name), schedule(name, share, start)
    begins = plain(0.0)
    assert warm(p * share * 0.999) == pytest.approx(start + (begins - start) * p * 0.999)
    assert warm(0) == pytest.approx(start)
    within = min(1.0, share + p * (1 - share))
    jumps = {"step": [0.4, 0.8], "cosine_restarts": [1 / 3, 2 / 3]}.get(name, [])
    if all(abs(p - jump) > 1e-6 for jump in jumps):
        assert warm(within) == pytest.approx(plain(p), abs=1e-6)
        assert warm.momentum(within) == pytest.approx(plain.momentum(p), abs=1e-6)
    assert warm.brake([0.5] * 9) == plain.brake([0.5] * 9)


def test_no_warm_up_is_the_schedule_itself():
    assert not isinstance(schedule("cosine"), WarmUp)


@pytest.mark.parametrize("share", [-0.1, 1.0, 2.0, float("nan")])
def test_a_warm_up_as_long_as_training_is_refused(share):
    with pytest.raises(ValueError, match=r"0 <= share < 1"):
        schedule("cosine", share)


def test_a_start_above_the_peak_is_refused():
    with pytest.raises(ValueError, match=r"0 <= start < 1"):
        schedule("cosine", 0.1, 1.0)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("cosin", {}, "did you mean 'cosine'"),
        ("cosine", {"begin": 1}, "schedule 'cosine' has no option 'begin'"),
        ("step", {"every": 0.0}, "schedule.step: `every > 0` must hold, but got every=0.0"),
        ("plateau", {"patience": 1.5}, "patience"),
        ("one_cycle", {"rise": True}, "rise"),
    ],
)
def test_a_schedule_that_there_is_not_is_told(name, options, words):
    with pytest.raises(InvalidParams) as caught:
        schedule(name, **options)
    assert words in str(caught.value)


def test_the_page_names_each_schedule_and_each_option_with_its_default():
    page = (Path(__file__).parents[2] / "docs" / "schedules.md").read_text(encoding="utf-8")
    for name in NAMES:
        row = re.search(rf"^\| `{name}` \|.*$", page, re.MULTILINE)[0]
        for option, field in part_class(PartConfig("schedule", name)).model_fields.items():
            assert f"`{option}` {field.default:g}" in row

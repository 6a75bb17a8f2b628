"""A trial of two processes is the trial of one."""

import copy
from contextlib import nullcontext, suppress

import pytest
import torch
from safetensors import safe_open
from torch import nn

from tests.conftest import QUIET_CPU, is_clock, quadrants, small_dataset
from tests.trainables.ranks.together import refused, together
from trainables.builder import from_params
from trainables.config import Fixed
from trainables.data.batches import Split
from trainables.material import prepare
from trainables.memory import DoesNotFit, forget, remember
from trainables.ranks import ONE, Smaller, current_ranks
from trainables.seeds import derive_seed

FULL = {"strategy": "full", "strategy.full.lr": 3e-3, "augmentation_strength": 0.0}
SGD = {**FULL, "optimizer": "sgd", "strategy.full.lr": 1e-2}
# Sums are formed in another order. What makes much of that, a ReLU's corner under BatchNorm say, is kept apart from
# Adam, which divides by gradients near 0, and from SAM, which goes where the loss is steepest.
RECIPES = {
    "sgd": SGD,
    "adam": {**FULL, "batchnorm": "frozen"},
    "clipped, averaged, odd batches": {**SGD, "clipping": "norm", "ema_decay": 0.9, "batch_size": 9},
    "sharpness": {**SGD, "sharpness": "sam", "batchnorm": "frozen"},
    "probe on stored features": {
        "strategy": "feature_extraction", "strategy.feature_extraction.lr": 1e-2, "augmentation_strength": 0.0,
    },
    "gradual": {
        "strategy": "gradual_unfreezing", "strategy.gradual_unfreezing.lr": 1e-2, "optimizer": "sgd",
        "strategy.gradual_unfreezing.ratio": 0.3, "strategy.gradual_unfreezing.unfrozen_by": 0.6,
        "augmentation_strength": 0.0,
    },
    "a penalty on weights": {**SGD, "transfer": "l2_sp"},
    "a penalty on features": {**SGD, "transfer": "delta"},
    "balanced, in parts": {**SGD, "sampling": "balanced", "batchnorm": "frozen"},
}  # fmt: skip
PARTS = {"balanced, in parts": {"micro_batch": 3}}
NINE = {**SGD, "batch_size": 9}
RANDOM = {**FULL, "augmentation_strength": 0.8, "dropout": 0.3, "mixing": "mixup"}


@pytest.fixture(scope="module")
def two():
    with together(2) as both:
        yield both


@pytest.fixture(scope="module")
def start(weights):
    with safe_open(weights, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@pytest.fixture
def fixed(weights, tmp_path, monkeypatch):
    monkeypatch.setenv("FINETUNE_SEARCH_CACHE", str(tmp_path / "cache"))
    return Fixed(model="test_resnet", pretrained=str(weights), epochs=3, batch_size=8, **QUIET_CPU)


def made(params, fixed):
    return from_params(params, fixed, 0, prepare(small_dataset(), fixed))


def trained(params, fixed):
    """Metrics and weights of one training, by whichever processes there are."""
    trainable = made(params, fixed)
    records = list(trainable.epochs())
    return [record.metrics for record in records], _weights(trainable)


def _weights(trainable):
    return {name: tensor.clone() for name, tensor in trainable.model.state_dict().items()}


def numbers(metrics):
    return {name: value for name, value in metrics.items() if not is_clock(name)}


def distance(one, other):
    """Between the weights of all layers but the classifier."""
    names = [name for name in other if name.endswith((".weight", ".bias")) and not name.startswith("fc.")]
    return torch.cat([(one[name] - other[name]).flatten() for name in names]).norm()


@pytest.mark.parametrize("name", RECIPES)
def test_two_processes_train_what_one_trains(two, fixed, start, name):
    fixed = fixed.model_copy(update=PARTS.get(name, {}))
    (first, theirs), (second, others) = two(trained, RECIPES[name], fixed)
    alone, weights = trained(RECIPES[name], fixed)
    assert list(map(numbers, first)) == list(map(numbers, second))
    assert all(torch.equal(tensor, others[name]) for name, tensor in theirs.items())
    assert distance(theirs, weights) <= (1e-2 if name == "adam" else 1e-3) * distance(weights, start)
    for ours, wanted in zip(first, alone, strict=True):
        assert numbers(ours) == pytest.approx(numbers(wanted), rel=1e-3, abs=1e-3)


def test_each_process_draws_for_its_own_images_and_the_weights_stay_the_same(two, fixed):
    (first, theirs), (second, others) = two(trained, RANDOM, fixed)
    assert list(map(numbers, first)) == list(map(numbers, second))
    assert all(torch.equal(tensor, others[name]) for name, tensor in theirs.items())
    again = two(trained, RANDOM, fixed)[0][0]
    assert list(map(numbers, again)) == list(map(numbers, first))
    one, other = two(drawn)
    assert one != other


def drawn():
    return derive_seed(0, "epoch", 1, *current_ranks().words())


def test_a_resumed_training_of_two_is_the_uninterrupted_one(two, fixed):
    assert two(resumed, RANDOM, fixed)[0] == list(map(numbers, two(trained, RANDOM, fixed)[0][0]))[1:]


def resumed(params, fixed):
    before = made(params, fixed)
    next(before.epochs())
    state = copy.deepcopy(before.state_dict())
    after = made(params, fixed)
    after.load_state_dict(state)
    return [numbers(record.metrics) for record in after.epochs()]


def test_one_of_two_may_take_over_what_both_have_trained(two, fixed):
    """A checkpoint is the whole trial's: it goes on with another number of processes."""
    state = two(half, SGD, fixed)[0]
    alone = made(SGD, fixed)
    alone.load_state_dict(state)
    rest = [numbers(record.metrics) for record in alone.epochs()]
    for ours, wanted in zip(rest, trained(SGD, fixed)[0][1:], strict=True):
        assert ours == pytest.approx(numbers(wanted), rel=1e-3, abs=1e-3)


def half(params, fixed):
    trainable = made(params, fixed)
    next(trainable.epochs())
    return copy.deepcopy(trainable.state_dict())


# Memory.


def test_memory_that_runs_out_in_one_process_makes_all_begin_anew_with_less(two, fixed):
    """Of nine images the first process has five, which is one too many for it."""
    fixed = fixed.model_copy(update={"memory_limit": two(needed, fixed)[0]})
    (outcome, micro), (other, _) = two(trained_or_not, NINE, fixed, {})
    assert (outcome, list(micro.values()), other) == ("smaller", [2], "left alone")
    (_, first), (_, second) = two(trained_or_not, NINE, fixed, micro)
    assert first == second == [2.0] * 3


def needed(fixed):
    """MiB that passes of both over four images each keep."""
    limit = 0.1
    while True:
        forget()
        trainable = made({**SGD, "batch_size": 8}, fixed.model_copy(update={"memory_limit": limit}))
        with suppress(Smaller, DoesNotFit):
            next(trainable.epochs())
            return limit
        limit *= 1.1


def trained_or_not(params, fixed, micro):
    forget()
    if current_ranks().number == 0:
        remember(micro)
    try:
        return "trained", [record.metrics["train/micro_batch"] for record in made(params, fixed).epochs()]
    except Smaller as error:
        return "smaller", error.micro
    except RuntimeError:
        return "left alone", {}


# BatchNorm.


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 4, 4), (7, 5, 1, 1)])
def test_batchnorm_of_two_is_that_of_the_whole_batch(two, shape):
    for found, wanted in two(normalised, shape):
        for ours, theirs in zip(found, wanted, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_batchnorm_without_weights_and_of_half_precision_too(two):
    for found, wanted in two(normalised, (6, 5, 4, 4), False):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    for found, wanted in two(normalised, (6, 5, 4, 4), True, torch.bfloat16):
        torch.testing.assert_close(found, wanted, rtol=0.02, atol=0.02)


def normalised(shape, affine=True, dtype=torch.float32):
    """Output, gradients and running statistics: of both processes' parts, and of torch's own on the whole."""
    ranks = current_ranks()
    torch.manual_seed(0)
    whole = (torch.randn(shape) * 3 + 100).to(dtype)
    target = torch.randn(shape)
    rows = torch.arange(shape[0])
    results = []
    for mine, context in ((ranks.share(rows), ranks.norms(nullcontext)), (rows, nullcontext)):
        kind = nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d
        norm = kind(shape[1], momentum=0.3, affine=affine)
        if affine:
            nn.init.uniform_(norm.weight, 0.5, 1.5, generator=torch.Generator().manual_seed(1))
        inputs = whole[mine].clone().requires_grad_()
        with context():
            out = norm(inputs)
        (out * target[mine]).sum().backward()
        if len(mine) < shape[0]:
            ranks.reduce(list(norm.parameters()))
        keep = slice(None) if len(mine) < shape[0] else ranks.share(rows)
        of_weights = [one.grad for one in norm.parameters()]
        results.append(
            (out.detach()[keep], inputs.grad[keep], *of_weights, norm.running_mean, norm.running_var)
        )
    return results


def test_batchnorm_in_evaluation_is_left_alone(two):
    for ours, theirs in two(evaluated):
        assert torch.equal(ours, theirs)


def evaluated():
    norm = nn.BatchNorm2d(3).eval()
    inputs = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(current_ranks().number))
    with current_ranks().norms(nullcontext)():
        return norm(inputs).detach(), norm(inputs).detach()


# Three of them: parts are unequal, and windows overlap.


@pytest.fixture(scope="module")
def three():
    with together(3) as all_of_them:
        yield all_of_them


def test_three_processes_train_what_one_trains(three, fixed):
    params = {**SGD, "batch_size": 8}
    fixed = fixed.model_copy(update={"micro_batch": 2})
    alone = trained({**params, "batchnorm": "frozen"}, fixed)[0]
    for found, _ in three(trained, {**params, "batchnorm": "frozen"}, fixed):
        for ours, wanted in zip(found, alone, strict=True):
            assert numbers(ours) == pytest.approx(numbers(wanted), rel=1e-3, abs=1e-3)
    for found, wanted in three(normalised, (8, 5, 4, 4)):
        for ours, theirs in zip(found, wanted, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    for found, wanted, asked in three(spread):
        assert torch.equal(found, wanted)
        assert asked == 3  # of seven


def test_what_machines_round_differently_is_the_first_ones(two):
    assert two(rounded) == [[0.0, 0.5]] * 2


def rounded():
    return current_ranks().agreed(torch.tensor([0.0, 0.5]) + current_ranks().number).tolist()


# What the processes ask of each other.


def test_a_split_is_predicted_in_parts_that_are_put_together(two):
    for found, wanted, asked in two(spread):
        assert torch.equal(found, wanted)
        assert asked == 4  # of seven


def spread():
    split = Split(quadrants(7, 3, 0), torch.device("cpu"))
    asked = []

    def predict(part):
        asked.append(len(part))
        return torch.cat([images.flatten(1) for images, _ in part.in_order(2)])

    found = current_ranks().spread(predict, split)
    asked, kept = [], asked[0]
    return found, predict(split), kept


def test_weights_that_differ_are_found_out(two):
    for outcome in two(differing):
        assert (
            outcome
            == "the processes of a trial must have the same weights after each epoch, but their sums differ: 3 to 6"
        )


def differing():
    ranks = current_ranks()
    ranks.check([nn.Parameter(torch.ones(3))])
    try:
        ranks.check([nn.Parameter(torch.full((3,), -1.0 - ranks.number))])
    except RuntimeError as error:
        return str(error)
    return ""


def test_gradients_of_several_types_and_missing_ones_are_summed(two):
    for found in two(summed):
        assert [(one.dtype, one.tolist()) for one in found] == [
            (torch.float32, [3.0, 3.0]), (torch.float64, [1.0]), (torch.float32, [[3.0]]),
        ]  # fmt: skip


def summed():
    ranks = current_ranks()
    parameters = [
        nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1, dtype=torch.float64)),
        nn.Parameter(torch.zeros(1, 1)),
    ]  # fmt: skip
    for parameter in parameters[:: 2 if ranks.number else 1]:
        parameter.grad = torch.full_like(parameter, 1.0 + ranks.number)
    ranks.reduce(parameters)
    return [parameter.grad for parameter in parameters]


# What a trial of several processes cannot be.


@pytest.mark.parametrize(
    ("params", "changes", "law"),
    [
        (
            {**SGD, "batch_size": 1},
            {},
            "`batch_size >= processes_per_trial` must hold, but got batch_size=1 with 2",
        ),
        (SGD, {"compile": True}, "`compile` needs trials of one process"),
        (SGD, {"gradient_checkpointing": True}, "`gradient_checkpointing` of a network with BatchNorm needs"),
    ],
)
def test_what_several_processes_cannot_do_is_said(two, fixed, params, changes, law):
    for said in two(refused, made, params, fixed.model_copy(update=changes)):
        assert said.startswith(law)


def test_one_process_is_all_there_is_by_itself():
    assert current_ranks() is ONE

"""Memory that runs out: halved micro-batches, the same effective batch, a failure only for one single image."""

import pytest
import torch

from tests.conftest import QUIET_CPU, is_clock, small_dataset
from trainables import memory
from trainables.builder import from_params
from trainables.config import Fixed
from trainables.material import prepare
from trainables.memory import DoesNotFit, LimitReached, MicroBatch, activations_limited, is_out_of_memory

FULL = {"strategy": "full", "strategy.full.lr": 1e-3, "augmentation_strength": 0.3}
MODELS = {"test_resnet": {}, "test_vit": {"img_size": 32}, "test_convnext": {}}


@pytest.fixture(autouse=True)
def _nothing_remembered():
    memory.forget()
    yield
    memory.forget()


def study(model: str, **settings):
    usual = {"image_size": 32, "epochs": 2, "batch_size": 16, **QUIET_CPU}
    fixed = Fixed(model=model, model_args=MODELS[model], pretrained=False, **{**usual, **settings})
    return fixed, prepare(small_dataset(), fixed)


def numbers(trainable) -> list[dict[str, float]]:
    return [
        {name: value for name, value in record.metrics.items() if not is_clock(name)}
        for record in trainable.epochs()
    ]


def needed(model: str, images: int) -> float:
    """MiB that a forward pass over `images` keeps, found by bisection with the limit itself."""
    _, material = study(model)
    low, high = 0.0, 1024.0
    while high - low > 0.05:
        middle = (low + high) / 2
        fixed, _ = study(model, memory_limit=middle, micro_batch=images)
        memory.forget()
        trainable = from_params(FULL, fixed, 0, material)
        inputs = torch.rand(images, 1, 32, 32).contiguous(memory_format=torch.channels_last)
        targets = torch.eye(4)[torch.arange(images) % 4]
        try:
            trainable.model.train()
            trainable.gradients(inputs, targets)
            fits = trainable.gradients.micro.size == images
        except DoesNotFit:
            fits = False
        low, high = (low, middle) if fits else (middle, high)
    return high


@pytest.mark.parametrize("model", MODELS)
def test_a_trial_that_does_not_fit_is_the_one_with_the_micro_batch_that_fits(model):
    """Not nearly: the same numbers to the last digit, dropout, BatchNorm and augmentation included."""
    limit = needed(model, 4) + 0.2
    fixed, material = study(model, memory_limit=limit)
    params = {**FULL, "dropout": 0.2}
    halved = from_params(params, fixed, 0, material)
    figures = numbers(halved)
    assert halved.gradients.micro.size == 4
    assert figures[-1]["train/micro_batch"] == 4
    asked, _ = study(model, micro_batch=4)
    memory.forget()
    assert numbers(from_params(params, asked, 0, material)) == figures


def test_what_fits_is_remembered_for_the_next_trial_of_the_same_shape(monkeypatch):
    fixed, material = study("test_resnet", memory_limit=needed("test_resnet", 8) + 0.2)
    tried = []
    real = MicroBatch.halve
    monkeypatch.setattr(MicroBatch, "halve", lambda self, size: (tried.append(size), real(self, size))[1])
    numbers(from_params(FULL, fixed, 0, material))
    assert tried == [16]
    numbers(from_params(FULL, fixed, 1, material))
    assert tried == [16]
    other, _ = study("test_resnet", memory_limit=fixed.memory_limit, precision="bf16")
    numbers(from_params(FULL, other, 0, material))  # another shape of work finds out for itself
    assert len(memory._REMEMBERED) == 2


def test_frozen_layers_need_less_and_are_remembered_apart():
    """A gradual unfreezing runs out of memory when layers wake, and not before."""
    fixed, material = study("test_resnet", memory_limit=needed("test_resnet", 8) + 0.2, epochs=4)
    params = {
        "strategy": "gradual_unfreezing",
        "strategy.gradual_unfreezing.lr": 1e-3,
        "strategy.gradual_unfreezing.unfrozen_by": 0.5,
    }
    sizes = [record["train/micro_batch"] for record in numbers(from_params(params, fixed, 0, material))]
    assert sizes[0] == 16
    assert sizes[-1] == 8
    assert sizes == sorted(sizes, reverse=True)


def test_a_trial_fails_only_when_one_image_does_not_fit():
    fixed, material = study("test_vit", memory_limit=0.01)
    with pytest.raises(DoesNotFit, match="one image must fit"):
        numbers(from_params(FULL, fixed, 0, material))


def test_sam_runs_out_of_memory_in_either_pass_and_gives_the_same_numbers():
    limit = needed("test_resnet", 8) + 0.2
    fixed, material = study("test_resnet", memory_limit=limit)
    params = {**FULL, "sharpness": "sam"}
    figures = numbers(from_params(params, fixed, 0, material))
    memory.forget()
    asked, _ = study("test_resnet", micro_batch=8)
    assert numbers(from_params(params, asked, 0, material)) == figures


@pytest.mark.parametrize("model", MODELS)
def test_gradient_checkpointing_keeps_less_and_computes_the_same(model):
    fixed, material = study(model)
    checked, _ = study(model, gradient_checkpointing=True)
    once, again = (numbers(from_params(FULL, one, 0, material)) for one in (fixed, checked))
    for name in ("train/loss", "train/grad_norm", "val/loss"):
        assert [r[name] for r in again] == pytest.approx([r[name] for r in once], rel=1e-4)
    inputs = torch.rand(16, 1, 32, 32).contiguous(memory_format=torch.channels_last)

    def kept(one: Fixed) -> int:
        model_ = from_params(FULL, one, 0, material).model.train()
        total = 0

        def pack(tensor):
            nonlocal total
            total += tensor.nbytes
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model_(inputs)
        return total

    assert kept(checked) < 0.7 * kept(fixed)


def test_the_limit_counts_each_piece_of_memory_once_and_no_weights():
    layer = torch.nn.Linear(256, 256, bias=False)
    inputs = torch.rand(1024, 256)  # 1 MiB, kept for the gradient of the weights
    with activations_limited(1.01, layer.parameters)():
        layer(inputs)
        layer(inputs)
    with (
        pytest.raises(LimitReached, match=r"memory_limit=0\.99"),
        activations_limited(0.99, layer.parameters)(),
    ):
        layer(inputs)


@pytest.mark.parametrize(
    ("error", "yes"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (LimitReached("limit"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 1 TB"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("size mismatch"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_out_of_memory(error, yes):
    assert is_out_of_memory(error) is yes


def test_a_real_refusal_of_the_allocator_is_seen():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert is_out_of_memory(caught.value)


def test_other_errors_of_a_pass_are_not_swallowed():
    fixed, material = study("test_resnet")
    trainable = from_params(FULL, fixed, 0, material)
    with pytest.raises(RuntimeError, match="channels"):
        trainable.gradients(torch.rand(4, 3, 32, 32), torch.eye(4))


@pytest.mark.gpu
def test_a_real_card_that_is_full_halves_the_batch():
    settings = {"device": "cuda", "precision": "bf16", "memory_limit": 600.0, "image_size": 160}
    fixed, material = study("test_resnet", **settings)
    fixed = fixed.model_copy(update={"batch_size": 48, "repeats": 2})
    trainable = from_params(FULL, fixed, 0, material)
    figures = numbers(trainable)
    assert len(figures) == 2
    assert figures[-1]["memory/peak_mb"] <= 600

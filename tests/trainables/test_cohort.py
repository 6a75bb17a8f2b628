"""Trials trained together are what they are alone, whatever becomes of the others."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest
import timm
import torch
from timm.layers import DropPath
from torch import Tensor, nn
from torch.nn import functional

from tests.conftest import small_dataset
from trainables.builder import from_params
from trainables.cohort import Cohort, Together, current_member
from trainables.cohort.request import Network, Request
from trainables.cohort.stack import Stack
from trainables.cohort.structure import structure_of
from trainables.material import prepare
from trainables.passes import Alone
from trainables.precision import Precision
from trainables.protocol import Diverged, EpochRecord
from trainables.transfer.none import Free

CPU = torch.device("cpu")
EXACT = Precision("fp32", CPU)
FULL = {"strategy": "full", "strategy.full.lr": 3e-4}
SIMILAR = 2e-2
"""Relative: sums of another order, after some dozen steps of fp32."""


def networks(name: str, rates: list[tuple[float, float]]) -> Iterator[nn.Module]:
    for seed, (dropout, path) in enumerate(rates):
        torch.manual_seed(seed)
        made = timm.create_model(name, num_classes=4, drop_rate=dropout, drop_path_rate=path)
        yield made.double().to(memory_format=torch.channels_last).train()


def laid(tensor: Tensor) -> list[int]:
    """How it lies in memory."""
    return [step for step, size in zip(tensor.stride(), tensor.shape, strict=True) if size > 1]


def judged_by(labels: Tensor) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    return lambda logits, extra: (functional.cross_entropy(logits, labels) + extra, logits.detach().sum())


@pytest.mark.parametrize(
    "name", ["test_resnet", "test_efficientnet", "test_convnext", "test_vit", "test_byobnet", "test_nfnet"]
)
def test_gradients_and_statistics_are_those_of_each_network_by_itself(name: str) -> None:
    models = list(networks(name, [(0.1, 0.1), (0.3, 0.2), (0.5, 0.4)]))
    twins = copy.deepcopy(models)
    side = models[0].default_cfg["input_size"][-1] if "vit" in name else 64
    images = [torch.rand(5, 3, side, side, dtype=torch.double) for _ in models]
    images = [inputs.contiguous(memory_format=torch.channels_last) for inputs in images]
    labels = [torch.randint(4, (5,)) for _ in models]
    requests = [
        Request(Network(model), inputs, judged_by(wanted), torch.Generator().manual_seed(7 + i))
        for i, (model, inputs, wanted) in enumerate(zip(models, images, labels, strict=True))
    ]
    Stack(models[0], 3).run(requests, EXACT)
    for i, (request, twin) in enumerate(zip(requests, twins, strict=True)):
        torch.manual_seed(7 + i)
        logits = twin(images[i])
        functional.cross_entropy(logits, labels[i]).backward()
        torch.testing.assert_close(request.figures, logits.sum())
        # A gradient that is nothing but rounding is compared with the others', not with itself.
        largest = max(float(p.grad.abs().max()) for p in twin.parameters() if p.grad is not None)
        for made, alone in zip(request.network.model.parameters(), twin.parameters(), strict=True):
            assert made.grad is not None
            assert alone.grad is not None
            assert laid(made.grad) == laid(made)
            torch.testing.assert_close(made.grad, alone.grad, rtol=1e-9, atol=1e-9 * largest)
        for made, alone in zip(request.network.model.buffers(), twin.buffers(), strict=True):
            torch.testing.assert_close(made, alone)
        drawn = request.generator.get_state()
        assert torch.equal(drawn, torch.get_rng_state())


def test_structures_tell_apart_what_one_pass_cannot_serve() -> None:
    first, second, dry = networks("test_resnet", [(0.1, 0.1), (0.5, 0.3), (0.0, 0.1)])
    assert structure_of(first) == structure_of(second)
    assert structure_of(first) != structure_of(dry)
    for change in (
        lambda model: model.eval(),
        lambda model: model.bn1.eval(),
        lambda model: setattr(model.bn1, "momentum", 0.5),
        lambda model: model.conv1.requires_grad_(False),
        lambda model: model.float(),
        lambda model: setattr(model.bn1, "values", [1.0, 2.0]),
        lambda model: model.bn1.register_forward_hook(lambda *seen: None),
    ):
        changed = copy.deepcopy(first)
        change(changed)
        assert structure_of(changed) != structure_of(first)


def started_at_once(cohort: Cohort, threads: list[threading.Thread]) -> None:
    """Start them, and let none work before all are there: else the first may be done before the last comes."""
    with cohort.join(CPU).turn():
        for thread in threads:
            thread.start()
        until = time.monotonic() + 60
        while len(cohort._working) <= len(threads) and time.monotonic() < until:
            time.sleep(0.001)


def together(
    work: list[Callable[[], list[EpochRecord]]],
) -> tuple[Cohort, list[list[EpochRecord] | BaseException]]:
    """Each in a thread of its own, as members of one cohort."""
    cohort = Cohort()
    ends: list[Any] = [None] * len(work)

    def live(number: int) -> None:
        torch.set_num_threads(1)
        try:
            with cohort.join(CPU).turn():
                ends[number] = work[number]()
        except BaseException as error:
            ends[number] = error

    threads = [threading.Thread(target=live, args=(number,), daemon=True) for number in range(len(work))]
    started_at_once(cohort, threads)
    for thread in threads:
        thread.join(300)
    assert not any(thread.is_alive() for thread in threads), "they wait for each other for ever"
    return cohort, ends


def trained(params: dict[str, Any], fixed: Any, seed: int, material: Any) -> Callable[[], list[EpochRecord]]:
    return lambda: list(from_params(params, fixed, seed, material).epochs())


def assert_similar(together: list[EpochRecord], alone: list[EpochRecord]) -> None:
    assert [record.epoch for record in together] == [record.epoch for record in alone]
    for one, other in zip(together, alone, strict=True):
        for name in ("train/loss", "val/loss", "train/update_ratio"):
            assert one.metrics[name] == pytest.approx(other.metrics[name], rel=SIMILAR), (one.epoch, name)


RECIPES: dict[str, list[dict[str, Any]]] = {
    "rates of all kinds": [
        {**FULL, "dropout": 0.1},
        {**FULL, "strategy.full.lr": 1e-3, "dropout": 0.4, "weight_decay": 0.05},
        {
            **FULL,
            "strategy.full.lr": 1e-4,
            "dropout": 0.2,
            "augmentation_strength": 0.9,
            "label_smoothing": 0.1,
        },
    ],
    "optimizers, averages, clipping": [
        {**FULL, "optimizer": "sgd", "strategy.full.lr": 1e-2},
        {**FULL, "ema_decay": 0.9, "mixing": "mixup"},
        {**FULL, "clipping": "none", "schedule": "linear", "batchnorm": "frozen", "l1": 1e-5},
    ],
    "two passes a step": [{**FULL, "sharpness": "sam"}, {**FULL, "sharpness": "sam", "weight_decay": 0.1}],
    "layers that wake up later": [
        {"strategy": "gradual_unfreezing", "strategy.gradual_unfreezing.lr": 1e-3},
        {"strategy": "gradual_unfreezing", "strategy.gradual_unfreezing.lr": 3e-4},
    ],
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_trial_is_the_same_trial_among_others(name: str, fixed: Any, material: Any) -> None:
    recipes = RECIPES[name]
    fixed = fixed.model_copy(update={"epochs": 3})
    alone = [trained(params, fixed, seed, material)() for seed, params in enumerate(recipes)]
    cohort, ends = together([trained(params, fixed, seed, material) for seed, params in enumerate(recipes)])
    assert not cohort.refused
    for records, expected in zip(ends, alone, strict=True):
        assert isinstance(records, list), records
        assert_similar(records, expected)
    alike = 2 if name.startswith("optimizers") else len(recipes)  # frozen statistics are another structure
    assert max(record.metrics["train/together"] for record in ends[0]) == alike


def test_one_that_ends_or_diverges_leaves_the_others_as_they_are(fixed: Any, material: Any) -> None:
    wild = {**FULL, "optimizer": "sgd", "strategy.full.lr": 1e12, "clipping": "none", "warmup_epochs": 0.0}

    def stopped() -> list[EpochRecord]:
        return [next(from_params(FULL, fixed, 1, material).epochs())]

    cohort, ends = together(
        [
            trained(FULL, fixed, 0, material),
            stopped,
            trained(wild, fixed, 2, material),
            trained({**FULL, "weight_decay": 0.1}, fixed, 3, material),
        ]
    )
    assert not cohort.refused
    assert isinstance(ends[2], Diverged)
    assert_similar(ends[0], trained(FULL, fixed, 0, material)())
    assert_similar(ends[3], trained({**FULL, "weight_decay": 0.1}, fixed, 3, material)())
    numbers = [record.metrics["train/together"] for record in ends[0]]
    assert ends[2].epoch == 1  # it leaves in the step in which it diverges
    assert 3 < numbers[0] < 4
    assert numbers[-1] == 2
    assert numbers == sorted(numbers, reverse=True)


def test_batches_of_another_size_are_passes_of_their_own(fixed: Any, material: Any) -> None:
    fixed = fixed.model_copy(update={"epochs": 2})
    recipes = [{**FULL, "batch_size": size} for size in (16, 16, 8)]
    _, ends = together([trained(params, fixed, seed, material) for seed, params in enumerate(recipes)])
    for seed, (records, params) in enumerate(zip(ends, recipes, strict=True)):
        assert_similar(records, trained(params, fixed, seed, material)())
    assert [round(records[0].metrics["train/together"], 6) for records in ends] == [2.0, 2.0, 1.0]


def test_networks_that_cannot_be_batched_train_alone(fixed: Any, material: Any) -> None:
    """Attention with a learnt bias has no batched gradient in torch."""
    fixed = fixed.model_copy(
        update={
            "model": "test_vit_relpos",
            "epochs": 1,
            "warmup_epochs": 0.0,
            "repeats": 1,
            "image_size": 160,
        }
    )
    material = prepare(small_dataset(), fixed)
    cohort, ends = together([trained(FULL, fixed, seed, material) for seed in range(2)])
    assert list(cohort.refused.values()) == [1]  # found out once
    for seed, records in enumerate(ends):
        (expected,) = trained(FULL, fixed, seed, material)()
        assert records[0].metrics["train/loss"] == expected.metrics["train/loss"]  # to the bit
        assert records[0].metrics["train/together"] == 1


class Odd(nn.Module):
    """A network of a user's own with something that is no weight, no buffer and no plain setting."""

    def __init__(self, kind: str, trial: int) -> None:
        super().__init__()
        self.kind = kind
        self.layer = nn.Linear(3, 4)
        self.drop, self.path = nn.Dropout(0.5), DropPath(0.0)
        self.register_buffer("seen", torch.zeros(()))
        self.values = {"x": 1.0 + trial if kind == "a dictionary" else 1.0}
        self.tensor = torch.full((), 1.0 + trial) if kind == "a tensor" else torch.ones(())
        if kind == "a closure":
            self.forward = lambda images: self.way(images)

    def forward(self, images: Tensor) -> Tensor:
        return self.way(images)

    def way(self, images: Tensor) -> Tensor:
        if self.kind == "a replaced buffer":
            self.seen = self.seen + 1
        x = self.path(self.layer(images.mean((2, 3)))) * self.values["x"] * self.tensor
        return functional.dropout(x, 0.25) if self.kind == "a rate in the code" else self.drop(x)


@pytest.mark.parametrize(
    "kind", ["nothing", "a dictionary", "a tensor", "a closure", "a replaced buffer", "a rate in the code"]
)
def test_networks_that_only_look_alike_are_found_out(kind: str) -> None:
    models = [Odd(kind, trial) for trial in range(2)]
    twins = [Odd(kind, trial) for trial in range(2)]
    for model, twin in zip(models, twins, strict=True):
        twin.load_state_dict(model.state_dict())
    images, labels = torch.rand(4, 3, 8, 8), torch.arange(4)
    cohort, ends = Cohort(), [None, None]

    def live(number: int) -> None:
        member = cohort.join(CPU)
        with member.turn():
            torch.manual_seed(number)
            alone = Alone(models[number], models[number], Free(), EXACT, nullcontext)
            passes = Together(member, models[number], alone, EXACT)
            passes(images, labels, judged_by(labels))
            ends[number] = passes.together, torch.get_rng_state()

    threads = [threading.Thread(target=live, args=(number,)) for number in range(2)]
    started_at_once(cohort, threads)
    for thread in threads:
        thread.join(60)
    assert [end[0] for end in ends] == ([2, 2] if kind == "nothing" else [1, 1])
    assert bool(cohort.refused) is (kind != "nothing")
    for number, (model, twin) in enumerate(zip(models, twins, strict=True)):
        torch.manual_seed(number)
        functional.cross_entropy(twin(images), labels).backward()
        torch.testing.assert_close(model.layer.weight.grad, twin.layer.weight.grad)
        assert torch.equal(ends[number][1], torch.get_rng_state())  # a rate of 0 draws nothing
        assert torch.equal(model.seen, twin.seen)


def test_parts_of_a_batch_add_up_together_too(fixed: Any, material: Any) -> None:
    fixed = fixed.model_copy(update={"epochs": 2, "micro_batch": 8})
    cohort, ends = together([trained(FULL, fixed, seed, material) for seed in range(2)])
    assert not cohort.refused
    for seed, records in enumerate(ends):
        assert_similar(records, trained(FULL, fixed, seed, material)())
        assert records[0].metrics["train/together"] == 2


@pytest.mark.parametrize(
    "change",
    [{"precision": "bf16"}, {"deterministic": True}, {"memory_limit": 1e4}, {"gradient_checkpointing": True}],
)
def test_what_one_pass_cannot_promise_is_made_alone(
    change: dict[str, Any], fixed: Any, material: Any
) -> None:
    fixed = fixed.model_copy(update={"epochs": 2, **change})
    cohort, ends = together([trained(FULL, fixed, seed, material) for seed in range(2)])
    assert not cohort.refused
    for seed, records in enumerate(ends):
        expected = trained(FULL, fixed, seed, material)()
        assert [r.metrics["train/loss"] for r in records] == [r.metrics["train/loss"] for r in expected]
        assert records[0].metrics["train/together"] == 1


def test_where_memory_runs_out_fewer_are_taken_at_once(
    fixed: Any, material: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Stack.run

    def small(self: Stack, requests: list[Request], precision: Precision) -> None:
        if len(requests) > 2:
            raise torch.OutOfMemoryError("no room for three")
        run(self, requests, precision)

    monkeypatch.setattr(Stack, "run", small)
    fixed = fixed.model_copy(update={"epochs": 2})
    cohort, ends = together([trained(FULL, fixed, seed, material) for seed in range(4)])
    assert not cohort.refused
    for seed, records in enumerate(ends):
        assert_similar(records, trained(FULL, fixed, seed, material)())
        assert records[-1].metrics["train/together"] == 2


def test_a_pass_that_fails_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    models = list(networks("test_resnet", [(0.5, 0.2), (0.5, 0.2)]))
    before = copy.deepcopy([model.state_dict() for model in models])
    images = torch.rand(4, 3, 32, 32, dtype=torch.double)
    generators = [torch.Generator().manual_seed(seed) for seed in range(2)]

    def broken(logits: Tensor, extra: Tensor) -> tuple[Tensor, Tensor]:
        raise ValueError("no loss")

    requests = [
        Request(Network(model), images, broken, g) for model, g in zip(models, generators, strict=True)
    ]
    with pytest.raises(ValueError, match="no loss"):
        Stack(models[0], 2).run(requests, EXACT)
    for seed, (model, state, generator) in enumerate(zip(models, before, generators, strict=True)):
        for name, tensor in model.state_dict().items():
            assert torch.equal(tensor, state[name])
        assert all(parameter.grad is None for parameter in model.parameters())
        assert torch.equal(generator.get_state(), torch.Generator().manual_seed(seed).get_state())


def test_outside_of_a_cohort_a_trial_is_by_itself(fixed: Any, material: Any) -> None:
    assert current_member() is None
    record = next(from_params(FULL, fixed, 0, material).epochs())
    assert record.metrics["train/together"] == 1
    with Cohort().join(CPU).turn():
        assert current_member() is not None
        record = next(
            from_params(FULL, fixed.model_copy(update={"deterministic": True}), 0, material).epochs()
        )
    assert record.metrics["train/together"] == 1  # the same bits are promised
    assert current_member() is None

import copy
from functools import partial

import pytest
import timm
import torch

from trainables.builder import from_params
from trainables.compilation import _is_features_and_head, compile_pays
from trainables.determinism import exact
from trainables.precision import Precision

FULL = {"strategy": "full", "strategy.full.lr": 1e-3}


def settings() -> tuple[bool, bool, bool]:
    cudnn = torch.backends.cudnn
    return torch.are_deterministic_algorithms_enabled(), cudnn.benchmark, cudnn.deterministic


def test_the_switch_is_on_inside_and_as_it_was_outside(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    before = settings()
    with exact(False):
        assert settings() == before
    with exact(True):
        assert settings() == (True, False, True)
    assert settings() == before
    with pytest.raises(ZeroDivisionError), exact(True):
        raise ZeroDivisionError
    assert settings() == before


def test_on_a_processor_exact_training_is_the_same_training(fixed, material):
    """Every operation of the loop, augmentation and mixing included, has a deterministic form."""
    params = {**FULL, "mixing": "mixup_or_cutmix", "sharpness": "sam", "augmentation": "rand_augment"}
    once = [r.score for r in from_params(params, fixed, 0, material).epochs()]
    forced = fixed.model_copy(update={"deterministic": True})
    records = list(from_params(params, forced, 0, material).epochs())
    assert [r.score for r in records] == once
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.slow
def test_a_compiled_network_learns_the_same(fixed, material):
    fixed = fixed.model_copy(update={"epochs": 2})
    plain = list(from_params(FULL, fixed, 0, material).epochs())
    compiled = from_params(FULL, fixed.model_copy(update={"compile": True}), 0, material)
    for one, other in zip(plain, compiled.epochs(), strict=True):
        assert other.metrics["train/loss"] == pytest.approx(one.metrics["train/loss"], rel=1e-3)
    assert all(not name.startswith("_orig_mod") for name in compiled.best_weights)


def test_networks_that_are_alike_are_compiled_once(fixed, material, monkeypatch):
    """The first half of the compiler, which decides that, without the minutes of the second."""
    from torch._dynamo.utils import counters

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    fixed = fixed.model_copy(update={"compile": True, "epochs": 2, "repeats": 1})
    torch._dynamo.reset()
    counters.clear()
    losses = []
    for dropout, path in ((0.1, 0.1), (0.4, 0.3), (0.2, 0.05)):
        trial = from_params({**FULL, "dropout": dropout, "drop_path": path}, fixed, 0, material)
        losses.append([record.metrics["train/loss"] for record in trial.epochs()])
    assert counters["stats"]["unique_graphs"] == 1
    assert len({tuple(loss) for loss in losses}) == 3  # each drops by its own rates


@pytest.mark.parametrize(
    ("name", "apart"),
    [("test_resnet", True), ("test_vit", True), ("test_convnext", True), ("test_efficientnet", True)],
)
def test_the_head_that_is_not_compiled_is_the_networks_own(name, apart):
    model = timm.create_model(name, num_classes=4).train()
    side = model.default_cfg["input_size"][-1]
    before = copy.deepcopy(model.state_dict())
    assert _is_features_and_head(model, (3, side, side)) is apart
    assert all(module.training for module in model.modules())
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


def test_a_network_of_other_functions_is_compiled_whole():
    class Odd(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(3, 2)

        def forward(self, images):
            return self.layer(images.mean((2, 3)))

        def forward_features(self, images):
            return images

        def forward_head(self, images):
            return images.mean((2, 3))

    assert not _is_features_and_head(Odd(), (3, 8, 8))
    assert not _is_features_and_head(Pointwise(), (3, 8, 8))


class Pointwise(torch.nn.Module):
    """Many small operations on large tensors: what compiling is best at."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1, 3, 1, 1))

    def forward(self, images):
        for _ in range(12):
            images = torch.sin(images * self.weight) + 0.1 * images
        return images


@pytest.mark.slow
def test_compiling_pays_where_it_saves_much_for_long_and_never_for_one_step():
    batch, precision = torch.rand(16, 3, 96, 96), Precision("fp32", torch.device("cpu"))
    assert compile_pays(Pointwise, batch, precision, steps=1) is False
    assert compile_pays(Pointwise, batch, precision, steps=10**7) is True


@pytest.mark.slow
def test_where_there_is_no_compiler_compiling_does_not_pay(monkeypatch):
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    monkeypatch.setattr("torch._inductor.config.force_disable_caches", True)
    batch, precision = torch.rand(4, 3, 32, 32), Precision("fp32", torch.device("cpu"))
    assert compile_pays(Pointwise, batch, precision, steps=10**7) is False

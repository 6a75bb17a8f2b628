import pytest
import torch

from trainables.builder import from_params
from trainables.compilation import compile_pays
from trainables.determinism import exact
from trainables.models.network import make_network
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


@pytest.mark.slow
def test_compiling_pays_for_many_steps_or_none_but_never_for_one(material):
    def network() -> torch.nn.Module:
        return make_network(material.backbone, None, classes=4, channels=1).train()

    batch = torch.rand(16, 1, 32, 32).contiguous(memory_format=torch.channels_last)
    precision = Precision("fp32", torch.device("cpu"))
    assert compile_pays(network, batch, precision, steps=1) is False
    assert isinstance(compile_pays(network, batch, precision, steps=10**9), bool)

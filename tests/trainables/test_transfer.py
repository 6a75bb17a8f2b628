import copy

import numpy as np
import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from spaces import InputError, InvalidParams
from trainables.batchnorm import re_estimate
from trainables.models.backbone import Backbone
from trainables.models.network import make_network, make_source
from trainables.parts import PARTS, PartConfig
from trainables.strategies import make_strategy
from trainables.strategies.layers import head_names
from trainables.transfer import Source
from trainables.transfer.bss import smallest
from trainables.transfer.co_tuning import relation
from trainables.transfer.features import classifier_of, with_features

ARCHITECTURES = {
    "test_resnet": {},
    "test_vit": {"img_size": 32},
    "test_convnext": {},
    "test_efficientnet": {},
}
PENALTIES = [name for name in PARTS["transfer"] if name != "none"]
ON_FEATURES = [name for name in PENALTIES if name != "l2_sp"]
CLASSES, SOURCE_CLASSES = 5, 7


def backbone(name: str) -> Backbone:
    return Backbone(name, name, arguments=ARCHITECTURES[name])


def weights_of(name: str, classes: int = SOURCE_CLASSES) -> dict:
    torch.manual_seed(1)
    model = make_network(backbone(name), None, classes=classes, channels=3)
    # Its blocks do something: timm begins with blocks whose last BatchNorm has a scale of zero.
    for key, parameter in model.named_parameters():
        if parameter.ndim == 1 and key.endswith("weight"):
            nn.init.uniform_(parameter, 0.5, 1.5)
    re_estimate(model, [images(64, 7)])  # as if it had been trained
    return {key: tensor.numpy().copy() for key, tensor in model.state_dict().items()}


def images(count: int, seed: int = 1, channels: int = 3) -> Tensor:
    return torch.randn(count, channels, 32, 32, generator=torch.Generator().manual_seed(seed))


def labels(count: int, seed: int = 1) -> Tensor:
    return torch.randint(0, CLASSES, (count,), generator=torch.Generator().manual_seed(seed))


def hard(count: int, seed: int = 1) -> Tensor:
    return functional.one_hot(labels(count, seed), CLASSES).float()


def soft(count: int) -> Tensor:
    return 0.3 * hard(count, 1) + 0.7 * hard(count, 2)


def study(name: str, channels: int = 3, **knobs) -> tuple[nn.Module, Source]:
    weights = weights_of(name)
    torch.manual_seed(0)
    model = make_network(backbone(name), weights, classes=CLASSES, channels=channels, **knobs)
    source = Source(
        backbone=name,
        make=lambda: make_source(backbone(name), weights, channels),
        weights=weights,
        train_batches=lambda: iter([(images(8, s, channels), labels(8, s)) for s in (1, 2)]),
        classes=CLASSES,
    )
    return model, source


def made(name: str, **options):
    return PartConfig("transfer", name, options).make()


def moved(model: nn.Module, by: float = 0.02) -> nn.Module:
    """The network some steps of training later."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += by * torch.randn(parameter.shape, generator=generator)
    return model


def gradients(bound, model: nn.Module, inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """What a step of the loop leaves in ``.grad``."""
    model.zero_grad(set_to_none=True)
    logits, extra = bound.forward(model, model, inputs, targets)
    (functional.cross_entropy(logits, targets) + extra).backward()
    bound.pull()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor], **close):
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], msg=lambda m, n=name: f"{n}: {m}", **close)


@pytest.fixture(params=ARCHITECTURES)
def architecture(request):
    return request.param


# --- all of them ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PENALTIES)
def test_random_weights_are_refused(name, architecture):
    model, source = study(architecture)
    without = Source(source.backbone, source.make, None, source.train_batches, CLASSES)
    for options in ({}, {"strength": 0.0}):
        with pytest.raises(InputError) as error:
            made(name, **options).bind(model, without)
        assert str(error.value).startswith(
            f"transfer='{name}' needs pretrained weights, but model '{architecture}' starts from random ones"
        )
    assert made("none").bind(model, without).forward(model, model, images(2), hard(2))[1] == 0


@pytest.mark.parametrize("name", PENALTIES)
def test_a_strength_of_zero_is_no_penalty_bit_by_bit(name, architecture):
    model, source = study(architecture)
    none, zero = made("none").bind(model, source), made(name, strength=0).bind(model, source)
    moved(model)
    start = copy.deepcopy(model.state_dict())
    wanted = gradients(none, model, images(6), soft(6))
    model.load_state_dict(start)
    assert_same(gradients(zero, model, images(6), soft(6)), wanted, rtol=0, atol=0)


@pytest.mark.parametrize("name", PENALTIES)
def test_strength_scales_what_a_penalty_adds(name, architecture):
    model, source = study(architecture)
    free = made("none").bind(model, source)
    moved(model)
    start = copy.deepcopy(model.state_dict())
    added = []
    for strength in (0.5, 1.0):
        part = made(name, strength=strength)
        twin, _ = study(architecture)
        bound = part.bind(twin, source)
        twin.load_state_dict(start)
        plain = gradients(free, model, images(6), hard(6))
        model.load_state_dict(start)
        with_it = gradients(bound, twin, images(6), hard(6))
        added.append({key: with_it[key] - plain[key] for key in plain if key not in head_names(model)})
    assert sum(float(tensor.abs().sum()) for tensor in added[0].values()) > 0
    assert_same({key: 2 * t for key, t in added[0].items()}, added[1], rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("knobs", [{}, {"dropout": 0.5}, {"drop_path": 0.3}])
def test_logits_are_the_networks_own_with_its_own_dropout_in_one_pass(name, knobs, architecture):
    model, source = study(architecture, **knobs)
    twin = copy.deepcopy(model)
    bound = made(name).bind(model, source)
    bound.forward(model, model, images(6), hard(6))  # what is learned once is learned
    model.load_state_dict(twin.state_dict())
    calls = []
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    first.register_forward_hook(lambda *_: calls.append(1))
    torch.manual_seed(5)
    wanted = twin(images(6))
    torch.manual_seed(5)
    logits, extra = bound.forward(model, model, images(6), hard(6))
    assert torch.equal(logits, wanted)
    assert len(calls) == 1
    assert extra.shape == ()
    assert extra.dtype == torch.float32
    for (key, mine), theirs in zip(model.state_dict().items(), twin.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs), key  # BatchNorm has seen the batch once


@pytest.mark.parametrize("name", PENALTIES)
def test_the_network_does_not_come_to_hold_its_source(name, architecture):
    model, source = study(architecture)
    keys, hooks = list(model.state_dict()), [len(m._forward_pre_hooks) for m in model.modules()]
    bound = made(name).bind(model, source)
    gradients(bound, model, images(4), hard(4))
    assert list(model.state_dict()) == keys
    assert [len(m._forward_pre_hooks) for m in model.modules()] == hooks
    assert list(copy.deepcopy(model).state_dict()) == keys


@pytest.mark.parametrize("name", PENALTIES)
def test_the_same_batch_gives_the_same_gradients(name):
    results = []
    for _ in range(2):
        model, source = study("test_efficientnet", dropout=0.3)
        bound = made(name).bind(model, source)
        moved(model)
        torch.manual_seed(9)
        results.append(gradients(bound, model, images(6), soft(6)))
    assert_same(*results, rtol=0, atol=0)


@pytest.mark.parametrize("name", PENALTIES)
def test_a_frozen_backbone_is_left_alone(name, architecture):
    model, source = study(architecture)
    bound = made(name).bind(model, source)
    moved(model)
    strategy, _ = make_strategy(PartConfig("strategy", "feature_extraction", {"lr": 1e-3}), 3)
    strategy.groups(model, 1e-3)
    strategy.on_epoch(model, 1)
    assert gradients(bound, model, images(4), hard(4)).keys() == head_names(model)


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mixed_precision_leaves_the_penalty_in_full(name, dtype, architecture):
    model, source = study(architecture)
    bound = made(name).bind(model, source)
    moved(model)
    start = copy.deepcopy(model.state_dict())
    wanted = float(bound.forward(model, model, images(6), hard(6))[1].detach())
    model.load_state_dict(start)
    with torch.autocast("cpu", dtype=dtype):
        logits, extra = bound.forward(model, model, images(6), hard(6))
    (functional.cross_entropy(logits.float(), hard(6)) + extra).backward()
    assert logits.dtype == dtype
    assert extra.dtype == torch.float32
    assert float(extra.detach()) == pytest.approx(wanted, rel=0.1, abs=1e-6)


@pytest.mark.parametrize("name", ["delta", "co_tuning"])
def test_a_mean_over_images_can_be_had_in_parts(name, architecture):
    model, source = study(architecture)
    bound = made(name).bind(model, source)
    moved(model).eval()
    whole = bound.forward(model, model, images(6), soft(6))[1]
    parts = [
        len(some) / 6 * bound.forward(model, model, some, wanted)[1]
        for some, wanted in zip(images(6).split(4), soft(6).split(4), strict=True)
    ]
    torch.testing.assert_close(sum(parts), whole)


@pytest.mark.parametrize("name", PENALTIES)
def test_grey_images_will_do(name):
    model, source = study("test_resnet", channels=1)
    bound = made(name).bind(model, source)
    inputs = images(6, channels=1)
    assert all(g.isfinite().all() for g in gradients(bound, model, inputs, hard(6)).values())


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("l2_sp", {"strength": -1.0}, "`strength >= 0` must hold"),
        ("bss", {"count": 0}, "`count >= 1` must hold"),
        ("bss", {"count": 1.5}, "`count` must be a whole number"),
        ("delta", {"count": 1}, "'delta' has no option 'count'"),
    ],
)
def test_options_have_laws(name, options, words):
    with pytest.raises(InvalidParams, match=words):
        made(name, **options)


# --- L2-SP ---------------------------------------------------------------------------------------------


def test_l2_sp_is_the_gradient_of_the_penalty_that_the_paper_writes(architecture):
    strength = 0.3
    model, source = study(architecture)
    starts = {name: torch.from_numpy(array) for name, array in source.weights.items()}
    bound = made("l2_sp", strength=strength).bind(model, source)
    moved(model)
    buffers = copy.deepcopy(model.state_dict())
    ours = gradients(bound, model, images(6), hard(6))

    model.load_state_dict(buffers)
    model.zero_grad(set_to_none=True)
    distance = sum(
        (p - starts[name]).square().sum()
        for name, p in model.named_parameters()
        if name not in head_names(model)
    )
    (functional.cross_entropy(model(images(6)), hard(6)) + strength / 2 * distance).backward()
    assert_same(ours, {name: p.grad for name, p in model.named_parameters()}, rtol=1e-4, atol=1e-5)


def test_l2_sp_does_not_show_in_the_loss_and_pulls_only_what_has_a_gradient(architecture):
    model, source = study(architecture)
    bound = made("l2_sp", strength=1.0).bind(model, source)
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    moved(model)
    assert bound.forward(model, model, images(2), hard(2))[1] == 0
    chosen = [name for name in start if name not in head_names(model)][::2]
    for name, parameter in model.named_parameters():
        parameter.grad = torch.zeros_like(parameter) if name in chosen else None
    bound.pull()
    for name, parameter in model.named_parameters():
        if name in chosen:
            assert torch.equal(parameter.grad, parameter - start[name])
        else:
            assert parameter.grad is None


def test_l2_sp_brings_weights_home_and_not_to_zero():
    model, source = study("test_resnet")
    bound = made("l2_sp", strength=0.5).bind(model, source)
    home = copy.deepcopy(model)
    moved(model)
    head = head_names(model)
    body = [p for name, p in model.named_parameters() if name not in head]
    optimizer = torch.optim.SGD(body, lr=1.0)
    for _ in range(20):
        for parameter in body:
            parameter.grad = torch.zeros_like(parameter)
        bound.pull()
        optimizer.step()
    for (name, now), was in zip(model.named_parameters(), home.parameters(), strict=True):
        assert torch.allclose(now, was, atol=1e-5) == (name not in head)


# --- DELTA ---------------------------------------------------------------------------------------------


def test_delta_is_the_relative_distance_of_the_feature_maps(architecture):
    model, source = study(architecture)
    bound = made("delta", strength=0.7).bind(model, source)
    pretrained = source.make().eval()
    moved(model)
    start = copy.deepcopy(model.state_dict())
    ours = gradients(bound, model, images(6), hard(6))

    model.load_state_dict(start)
    model.zero_grad(set_to_none=True)
    wanted = pretrained.forward_features(images(6)).detach()
    maps = model.forward_features(images(6))
    penalty = sum((m - w).norm() ** 2 / w.norm() ** 2 for m, w in zip(maps, wanted, strict=True)) / 6
    assert float(penalty.detach()) > 1e-4
    (functional.cross_entropy(model.forward_head(maps), hard(6)) + 0.7 * penalty).backward()
    assert_same(ours, {name: p.grad for name, p in model.named_parameters()}, rtol=1e-3, atol=1e-5)


def test_delta_is_zero_where_the_network_starts(architecture):
    model, source = study(architecture)
    bound = made("delta").bind(model, source)
    model.eval()  # BatchNorm by the batch is another function than by its statistics
    assert float(bound.forward(model, model, images(4), hard(4))[1].detach()) == pytest.approx(0, abs=1e-9)
    moved(model)
    assert float(bound.forward(model, model, images(4), hard(4))[1].detach()) > 1e-4


def test_maps_of_nothing_but_zeros_are_no_division_by_zero():
    model, source = study("test_resnet")
    zeros = {name: np.zeros_like(array) for name, array in source.weights.items()}
    dead = Source(
        "dead", lambda: make_source(backbone("test_resnet"), zeros, 3), zeros, source.train_batches, 5
    )
    extra = made("delta").bind(model, dead).forward(model, model, images(4), hard(4))[1]
    assert torch.isfinite(extra)


# --- batch spectral shrinkage --------------------------------------------------------------------------


@given(
    images_=st.integers(2, 9), features=st.integers(1, 9), count=st.integers(1, 12), seed=st.integers(0, 99)
)
@settings(max_examples=40, deadline=None)
def test_bss_is_the_small_end_of_the_spectrum_of_the_gram_matrix(images_, features, count, seed):
    matrix = torch.randn(
        images_, features, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    gram = matrix.T @ matrix if features <= images_ else matrix @ matrix.T
    wanted = torch.linalg.eigvalsh(gram)[:count].sum()  # ascending
    torch.testing.assert_close(smallest(matrix, count), wanted)


def test_the_gradient_of_bss_is_that_of_finite_differences():
    matrix = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda m: smallest(m, 2), matrix)


@pytest.mark.parametrize(
    "matrix",
    [torch.eye(4), torch.zeros(4, 3), torch.ones(5, 3), torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])],
)
def test_the_gradient_of_bss_is_defined_where_singular_values_are_equal_or_zero(matrix):
    matrix = matrix.clone().requires_grad_(True)
    smallest(matrix, 1).backward()
    assert torch.isfinite(matrix.grad).all()
    assert float(matrix.grad.norm()) == pytest.approx(
        2 * float(smallest(matrix.detach(), 1)) ** 0.5, abs=1e-5
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_features_of_a_diverged_training_give_a_loss_that_says_so(bad):
    matrix = torch.ones(4, 3)
    matrix[1, 1] = bad
    matrix.requires_grad_(True)
    loss = smallest(matrix, 1)
    loss.backward()
    assert not torch.isfinite(loss)


def test_bss_shrinks_what_the_classifier_sees(architecture):
    for count in (1, 3):
        model, source = study(architecture)
        bound = made("bss", strength=2.0, count=count).bind(model, source)
        _, features = with_features(model, model, images(6))
        logits, extra = bound.forward(model, model, images(6), hard(6))
        values = torch.linalg.svdvals(features.detach())
        assert float(extra.detach()) == pytest.approx(
            2 * float((values[-count:] ** 2).sum()), rel=1e-3, abs=1e-5
        )
        assert torch.equal(logits, classifier_of(model)(features))


# --- co-tuning -----------------------------------------------------------------------------------------


def test_the_relation_is_the_mean_probability_of_each_class(architecture):
    _, source = study(architecture)
    pretrained = source.make().eval()
    inputs = torch.cat([some for some, _ in source.train_batches()])
    classes = torch.cat([some for _, some in source.train_batches()])
    learned = relation(pretrained, source.train_batches(), CLASSES + 1)
    assert learned.shape == (CLASSES + 1, SOURCE_CLASSES)
    torch.testing.assert_close(learned.sum(1), torch.ones(CLASSES + 1))
    assert torch.equal(learned[CLASSES], torch.full((SOURCE_CLASSES,), 1 / SOURCE_CLASSES))  # no image of it
    for label in classes.unique():
        said = pretrained(inputs[classes == label]).softmax(1).mean(0)
        torch.testing.assert_close(learned[label], said, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("targets", [hard(6), soft(6)])
def test_co_tuning_is_the_source_classifiers_cross_entropy(targets, architecture):
    model, source = study(architecture)
    bound = made("co_tuning", strength=0.4).bind(model, source)
    pretrained = source.make().eval()
    for parameter in pretrained.parameters():
        parameter.requires_grad_(False)
    moved(model)
    start = copy.deepcopy(model.state_dict())
    ours = gradients(bound, model, images(6), targets)

    model.load_state_dict(start)
    model.zero_grad(set_to_none=True)
    features = model.forward_head(model.forward_features(images(6)), pre_logits=True)
    wanted = targets @ relation(pretrained, source.train_batches(), CLASSES)
    said = classifier_of(pretrained)(features).log_softmax(1)
    penalty = -(wanted * said).sum(1).mean()
    (functional.cross_entropy(classifier_of(model)(features), targets) + 0.4 * penalty).backward()
    assert_same(ours, {name: p.grad for name, p in model.named_parameters()}, rtol=1e-3, atol=1e-6)


def test_the_relation_is_learned_once_and_only_when_it_is_needed():
    model, source = study("test_resnet")
    passes = []

    def batches():
        passes.append(1)
        return source.train_batches()

    counted = Source(source.backbone, source.make, source.weights, batches, CLASSES)
    bound = made("co_tuning").bind(model, counted)
    assert not passes
    for _ in range(3):
        bound.forward(model, model, images(4), hard(4))
    assert len(passes) == 1


def test_weights_without_a_classifier_cannot_co_tune(architecture):
    model, source = study(architecture)
    some = {name: array for name, array in source.weights.items() if name not in head_names(model)}
    headless = Source(
        architecture,
        lambda: make_source(backbone(architecture), some, 3),
        some,
        source.train_batches,
        CLASSES,
    )
    with pytest.raises(
        InputError, match=f"'co_tuning' needs .* classifier, but those of model '{architecture}'"
    ):
        made("co_tuning").bind(model, headless)
    for name in ("l2_sp", "delta", "bss"):
        assert gradients(made(name).bind(model, headless), model, images(4), hard(4))


@pytest.mark.parametrize(
    "name", ["mobilenetv3_small_050", "regnetx_002", "ghostnet_100", "densenet121", "deit_tiny_patch16_224"]
)
def test_what_the_classifier_sees_can_be_had_of_other_families(name):
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=3, drop_rate=0.2).eval()
    inputs = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        logits, features = with_features(model, model, inputs)
        assert torch.equal(logits, model(inputs))
        assert features.shape == (1, classifier_of(model).in_features)
        torch.testing.assert_close(classifier_of(model)(features), logits)

import copy

import pytest
import timm
import torch
from torch.nn import functional

from spaces import InputError
from tests.trainables.transfer.parts import (
    CLASSES,
    SOURCE_CLASSES,
    assert_same,
    backbone,
    gradients,
    hard,
    images,
    made,
    moved,
    soft,
    study,
)
from trainables.models.network import make_source
from trainables.strategies.layers import head_names
from trainables.transfer import Source
from trainables.transfer.co_tuning import relation
from trainables.transfer.features import classifier_of, with_features


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

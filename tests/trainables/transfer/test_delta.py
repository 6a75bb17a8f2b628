import copy

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.trainables.transfer.parts import assert_same, backbone, gradients, hard, images, made, moved, study
from trainables.models.network import make_source
from trainables.transfer import Source


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

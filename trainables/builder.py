"""From a trial's configuration to its trainable. Configuration ends here: no part below reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice

import torch
from torch import Tensor, nn

from spaces import InvalidParams, Params
from trainables.augmentation import Augmentation, Curriculum, Mixing
from trainables.averaging import make_averaging
from trainables.batchnorm import BatchNorm, re_estimate
from trainables.class_weights import ClassWeights, scaled
from trainables.cohort import Together, current_member
from trainables.compilation import compiled
from trainables.config import Fixed, TrialConfig
from trainables.course import Course, OnImages
from trainables.data.batches import Split, split_on
from trainables.finetuning import FineTuning, Parts, Plan, Pull
from trainables.frozen.course import Courses, Features
from trainables.frozen.head import Head
from trainables.generators import seeded
from trainables.gradients import Gradients
from trainables.lasso import Lasso
from trainables.losses import Criterion, MakesLoss, weighted_mean
from trainables.material import Material
from trainables.memory import MicroBatch, limit_memory
from trainables.models.network import make_network, make_source
from trainables.optimizers import OptimizerPart, evaluating, remember_momentum
from trainables.passes import Alone
from trainables.precision import Precision, pick_device
from trainables.ranks import ONE, Ranks, current_ranks
from trainables.ranks.limits import check_ranks
from trainables.schedules import make_schedule
from trainables.seeds import derive_seed
from trainables.strategies import ParamGroup, Strategy, make_strategy
from trainables.transfer import BoundTransfer, Source
from trainables.transfer.features import classifier_prefix

STORABLE = {
    "mixing": {"none"},  # mixes images, not what a network makes of them
    "transfer": {"none"},  # looks at all of the network
    "batchnorm": {"as_built", "momentum", "frozen"},  # the others change what a frozen network computes
}
"""Kind → parts with which a frozen network computes the same for all trials."""

ON_WEIGHTS = {"none", "l2_sp"}
"""Transfer penalties that ask nothing of features."""

REFRESH_BATCHES = 8
"""Training batches from which BatchNorm's statistics are taken for weights that never trained."""


@dataclass(frozen=True)
class Bound:
    """A network with the parts that are tied to it: what can refuse a configuration.

    Args:
        model: On the device where it will train.
        strategy: Which of its layers learn.
        groups: Its parameters, by rate and decay.
        batchnorm: What becomes of its statistics.
        transfer: What keeps it near its pretraining.
    """

    model: nn.Module
    strategy: Strategy
    groups: list[ParamGroup]
    batchnorm: BatchNorm
    transfer: BoundTransfer


def from_params(params: Params, fixed: Fixed, seed: int, material: Material) -> FineTuning:
    """The trainable that a study's `params` describe. What a spec's ``trainable:`` names has this signature.

    Raises:
        InvalidParams: A parameter that nothing reads, or outside its law.
    """
    return build(TrialConfig.from_params(params, fixed, seed), material)


def build(config: TrialConfig, material: Material) -> FineTuning:
    """Put one trial together.

    Raises:
        InvalidParams: More images a batch than there are to learn from, or an option outside its law.
        InputError: The model cannot take what the configuration asks of it.
    """
    if config.batch.size > len(material.train):
        raise InvalidParams(
            f"`batch_size <= training images` must hold, but got batch_size={config.batch.size} "
            f"with {len(material.train)} training images"
        )
    material = material.laid_out(config.numerics.memory_format)
    ranks = current_ranks()
    device = pick_device(config.numerics.device)
    precision = Precision(config.numerics.precision, device)
    train = split_on(material.train, device)
    with seeded(derive_seed(config.seed, "init")):
        bound = bind(config, material, train, ranks)
    model = bound.model
    chosen: OptimizerPart = config.parts["optimizer"].make()
    optimizer = chosen.make(_torch_groups(bound.groups, chosen.rate, config.regularisation.weight_decay))
    remember_momentum(optimizer)
    scaler = precision.scaler()
    gradients_of = partial(
        Gradients,
        model=model,
        criterion=_criterion(config, _class_counts(material, device)),
        device=device,
        scaler=scaler,
        micro=MicroBatch(config.batch.micro, _shape_of_work(config, material, device)),
        ranks=ranks,
    )
    alone_by = partial(
        Alone,
        model,
        transfer=bound.transfer,
        precision=precision,
        limited=ranks.norms(limit_memory(config.numerics.memory_limit, model, device)),
    )
    shape = (material.channels, material.size, material.size)
    alone = alone_by(compiled(model, shape) if config.numerics.compile else model)
    member = current_member() if may_be_batched(config) else None
    gradients = gradients_of(passes=Together(member, model, alone, precision) if member else alone)
    val = split_on(material.val, device)

    def on_features(head: Head) -> Gradients:
        return gradients_of(passes=alone_by(head))

    return FineTuning(
        plan=Plan(
            epochs=config.epochs,
            batch=config.batch.size,
            repeats=config.batch.repeats or material.repeats,
            seed=config.seed,
            deterministic=config.numerics.deterministic,
        ),
        parts=_parts(
            config,
            material,
            bound,
            optimizer,
            train,
            _courses(config, material, model, train, val, precision, gradients, on_features, ranks),
        ),
        model=model,
        optimizer=optimizer,
        gradients=gradients,
        scaler=scaler,
        precision=precision,
        normalise=material.normalise,
        train=train,
        val=val,
        classes=material.classes,
        ranks=ranks,
    )


def bind(config: TrialConfig, material: Material, train: Split, ranks: Ranks = ONE) -> Bound:
    """The network on the device of `train`, and what is tied to it: all that a check before a study needs.

    Raises:
        InputError: The model cannot take what the configuration asks of it.
    """
    strategy, lr = make_strategy(config.parts["strategy"], config.epochs)
    model = network(config, material)
    check_ranks(config, model, ranks)
    model = ranks.holding.place(model, train.labels.device)
    batchnorm: BatchNorm = config.parts["batchnorm"].make()
    batchnorm.bind(model, material.backbone.name)
    groups = strategy.groups(model, lr)
    transfer: BoundTransfer = config.parts["transfer"].make().bind(model, _source(config, material, train))
    return Bound(model, strategy, groups, batchnorm, transfer)


def network(config: TrialConfig, material: Material) -> nn.Module:
    """The network of a trial with the weights that it starts from.

    Raises:
        InputError: The model cannot take what the configuration asks of it.
    """
    return make_network(
        material.backbone,
        None if config.parts["strategy"].name == "scratch" else material.weights,
        classes=len(material.classes),
        channels=material.channels,
        dropout=config.regularisation.dropout,
        drop_path=config.regularisation.drop_path,
        checkpointing=config.numerics.gradient_checkpointing,
        memory_format=config.numerics.memory_format,
    )


def check_parts(config: TrialConfig) -> None:
    """Make every part of `config` and throw it away: are its options in their laws? No network is built.

    Raises:
        InvalidParams: One is not.
    """
    for kind, part in config.parts.items():
        if kind == "strategy":
            make_strategy(part, config.epochs)
        else:
            part.make()


def _parts(
    config: TrialConfig,
    material: Material,
    bound: Bound,
    optimizer: torch.optim.Optimizer,
    train: Split,
    course: Callable[[float, bool], Course],
) -> Parts:
    regularisation = config.regularisation
    model = bound.model
    pulls: list[Pull] = [bound.transfer]
    if regularisation.l1:
        decaying = [parameter for group in bound.groups if group.decays for parameter in group.params]
        pulls.append(Lasso(decaying, regularisation.l1))

    def refresh() -> None:
        batches = material.normalise.batches(train, config.batch.size)
        re_estimate(model, (inputs for inputs, _ in islice(batches, REFRESH_BATCHES)))

    return Parts(
        strategy=bound.strategy,
        schedule=make_schedule(config.parts["schedule"], config.warmup.share, config.warmup.start),
        sampling=config.parts["sampling"].make(),
        course=course,
        sharpness=config.parts["sharpness"].make(),
        pulls=pulls,
        clipping=config.parts["clipping"].make(),
        averaging=make_averaging(model, regularisation.ema_decay),
        batchnorm=bound.batchnorm,
        stopping=config.parts["stopping"].make(),
        evaluating=partial(evaluating, optimizer, model, refresh),
    )


def _courses(
    config: TrialConfig,
    material: Material,
    model: nn.Module,
    train: Split,
    val: Split,
    precision: Precision,
    gradients: Gradients,
    on_features: Callable[[Head], Gradients],
    ranks: Ranks,
) -> Callable[[float, bool], Course]:
    """What the steps of an epoch work on: images, or stored features where they say all."""
    policy: Augmentation = config.parts["augmentation"].make()
    curriculum: Curriculum = config.parts["curriculum"].make()
    mixing: Mixing = config.parts["mixing"].make()
    hard = torch.eye(len(material.classes), device=precision.device)
    peak = config.regularisation.augmentation_strength

    def augment(strength: float) -> Callable[[Tensor], Tensor]:
        return policy.at(strength, material.invariances)

    def strength(progress: float) -> float:
        return curriculum.strength(peak, progress)

    def on_images(progress: float) -> Course:
        changes = augment(strength(progress))
        return OnImages(train, val, changes, mixing, hard, material.normalise, gradients, precision, ranks)

    storable = (
        config.numerics.stored_features
        and material.key
        and material.weights is not None
        and config.parts["strategy"].name != "scratch"
        and all(config.parts[kind].name in names for kind, names in STORABLE.items())
        and classifier_prefix(model)
        and not ranks.holding.in_parts
    )
    if not storable:
        return lambda progress, untouched: on_images(progress)
    head = Head(model, config.regularisation.dropout)
    made_from = (
        material.key,
        material.normalise.memory_format,
        config.parts["augmentation"],
        material.invariances,
    )
    return Courses(
        on_images=on_images,
        features=Features(model, train, val, augment, material.normalise, precision, made_from),
        head=head,
        model=model,
        train=train,
        hard=hard,
        strength=strength,
        gradients=on_features(head),
        normalise=material.normalise,
        precision=precision,
        ranks=ranks,
    )


def may_be_batched(config: TrialConfig) -> bool:
    """Whether a trial's passes may be made with those of others.

    Not where a part looks at more than logits or a pass does more than compute, nor where the same bits are promised:
    sums depend on who takes part. Nor in mixed precision: inside of `torch.vmap` autocast sees other operations than
    outside, so that it would be another arithmetic.
    """
    numerics, device = config.numerics, pick_device(config.numerics.device)
    return (
        config.parts["transfer"].name in ON_WEIGHTS
        and config.parts["batchnorm"].name != "stochastic"
        and not Precision(numerics.precision, device).is_mixed
        and numerics.memory_limit is None
        and not (numerics.compile or numerics.deterministic or numerics.gradient_checkpointing)
    )


def _torch_groups(groups: list[ParamGroup], rate: float, decay: float) -> list[dict[str, object]]:
    """As optimizers take them; the schedule scales `peak_lr`, which phases take from `top_lr`."""
    return [
        {
            "params": list(group.params),
            "lr": group.lr * rate,
            "peak_lr": group.lr * rate,
            "top_lr": group.lr * rate,
            "weight_decay": decay if group.decays else 0.0,
            "name": group.name,
        }
        for group in groups
    ]


def _criterion(config: TrialConfig, class_counts: Tensor) -> Criterion:
    """The loss of a batch: that of its images, weighed by their classes."""
    loss: MakesLoss = config.parts["loss"].make()
    chosen: ClassWeights = config.parts["class_weights"].make()
    losses = loss.make(class_counts, config.regularisation.label_smoothing)
    return weighted_mean(losses, scaled(chosen, class_counts))


def _class_counts(material: Material, device: torch.device) -> Tensor:
    """Training images a class, [classes]."""
    labels = torch.tensor(material.train.labels)
    return torch.bincount(labels, minlength=len(material.classes)).to(device)


def _shape_of_work(
    config: TrialConfig, material: Material, device: torch.device
) -> tuple[str | int | float | bool | None, ...]:
    """What decides how much memory an image needs."""
    backbone, numerics = material.backbone, config.numerics
    return (
        backbone.architecture,
        str(sorted(backbone.arguments.items())),
        material.size,
        material.channels,
        numerics.precision,
        numerics.memory_format,
        numerics.gradient_checkpointing,
        numerics.memory_limit,
        config.parts["transfer"].name,
        config.parts["batchnorm"].name,
        bool(config.regularisation.dropout),
        bool(config.regularisation.drop_path),
        str(device),
    )


def _source(config: TrialConfig, material: Material, train: Split) -> Source:
    """What the transfer penalties may know of the pretrained network."""
    return Source(
        backbone=material.backbone.name,
        make=lambda: make_source(
            material.backbone, material.weights or {}, material.channels, material.normalise.memory_format
        ),
        weights=None if config.parts["strategy"].name == "scratch" else material.weights,
        train_batches=partial(material.normalise.batches, train, config.batch.size),
        classes=len(material.classes),
    )

"""From a trial's configuration to its trainable. Configuration ends here: no part below reads it."""

from __future__ import annotations

from torch import nn

from spaces import InvalidParams, Params
from trainables.augmentation import make_augmentation
from trainables.averaging import make_averaging
from trainables.config import Fixed, TrialConfig
from trainables.data.batches import Split
from trainables.finetuning import FineTuning, Plan
from trainables.generators import seeded
from trainables.material import Material
from trainables.models.network import make_network
from trainables.optimizers import make_optimizer
from trainables.precision import Precision, pick_device
from trainables.schedules import make_schedule
from trainables.seeds import derive_seed
from trainables.strategies import Strategy, make_strategy


def from_params(params: Params, fixed: Fixed, seed: int, material: Material) -> FineTuning:
    """The trainable that a study's `params` describe. What a spec's ``trainable:`` names has this signature.

    Raises:
        InvalidParams: A parameter that nothing reads, or outside its law.
    """
    return build(TrialConfig.from_params(params, fixed, seed), material)


def build(config: TrialConfig, material: Material) -> FineTuning:
    """Put one trial together.

    Raises:
        InvalidParams: More images a batch than there are to learn from.
        InputError: The model cannot take what the configuration asks of it.
    """
    if config.batch.size > len(material.train):
        raise InvalidParams(
            f"`batch_size <= training images` must hold, but got batch_size={config.batch.size} "
            f"with {len(material.train)} training images"
        )
    device = pick_device(config.numerics.device)
    precision = Precision(config.numerics.precision, device)
    regularisation = config.regularisation
    with seeded(derive_seed(config.seed, "init")):
        model, strategy = network_and_strategy(config, material)
    model = model.to(device)
    groups = strategy.groups(model, config.strategy.lr)
    return FineTuning(
        plan=Plan(
            epochs=config.epochs,
            batch=config.batch.size,
            micro=config.batch.micro,
            repeats=config.batch.repeats or material.repeats,
            clip_norm=config.optimizer.clip_norm or float("inf"),
            seed=config.seed,
        ),
        model=model,
        strategy=strategy,
        optimizer=make_optimizer(config.optimizer, groups),
        schedule=make_schedule(config.schedule.name, config.schedule.warmup),
        criterion=nn.CrossEntropyLoss(label_smoothing=regularisation.label_smoothing),
        augment=make_augmentation(regularisation.augmentation_strength, material.invariances),
        normalise=material.normalise,
        precision=precision,
        averaging=make_averaging(model, regularisation.ema_decay),
        train=Split(material.train, device),
        val=Split(material.val, device),
    )


def network_and_strategy(config: TrialConfig, material: Material) -> tuple[nn.Module, Strategy]:
    """The two parts that can refuse a configuration, alone: what a check before a study needs.

    Raises:
        InputError: The model cannot take what the configuration asks of it.
    """
    strategy = make_strategy(config.strategy.name, config.strategy.options, config.epochs)
    model = make_network(
        material.backbone,
        None if config.strategy.name == "scratch" else material.weights,
        classes=len(material.classes),
        channels=material.channels,
        dropout=config.regularisation.dropout,
        drop_path=config.regularisation.drop_path,
    )
    return model, strategy

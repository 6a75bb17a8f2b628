"""A search over how to fine-tune, as one writes it by hand from the documentation of Ray Tune, timm and MLflow.

It is what this project is measured against (`benchmarks/stock.py`), and uses nothing of it. It does what a careful
user does: mixed precision, one trial a core, torchvision's transforms in a data set of its own, a checkpoint an epoch,
ASHA over the same epochs, Ray's callback for MLflow over SQLite. The recipes come from a file, so that both sides
train the same ones; Ray's search over Optuna hands them out as points to evaluate.

    python benchmarks/stock_script.py SETTINGS.json

See `benchmarks/stock.py` for what the settings are.
"""

import json
import logging
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

import mlflow
import optuna
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch


def make_loaders(settings, config):
    """Training and validation loaders over two folders of class folders."""
    import torch
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    strength, size = config["augmentation_strength"], settings["size"]
    colour = [transforms.Grayscale()] if settings["channels"] == 1 else []
    resize = [transforms.Resize((size, size))]
    normalise = [transforms.ToTensor(), transforms.Normalize(settings["mean"], settings["std"])]
    augment = []
    if strength:
        augment.append(
            transforms.RandomAffine(
                degrees=settings["rotation"] * strength,
                translate=(0.1 * strength, 0.1 * strength),
                scale=(1 - 0.2 * strength, 1 + 0.2 * strength),
                shear=10 * strength,
            )
        )
        if settings["flip"]:
            augment.append(transforms.RandomHorizontalFlip())
        augment.append(
            transforms.ColorJitter(0.4 * strength, 0.4 * strength, 0.4 * strength, 0.05 * strength)
        )
        blur = transforms.GaussianBlur(3, (0.1, 0.1 + 1.9 * strength))
        augment.append(transforms.RandomApply([blur], 0.1 * strength))
    erase = [transforms.RandomErasing(0.25 * strength)] if strength else []
    train = ImageFolder(
        settings["train"], transforms.Compose([*colour, *resize, *augment, *normalise, *erase])
    )
    val = ImageFolder(settings["val"], transforms.Compose([*colour, *resize, *normalise]))
    # The validation folder may lack a class: its labels are those of the training folder.
    val.samples = [(path, train.class_to_idx[val.classes[label]]) for path, label in val.samples]
    sampler = torch.utils.data.RandomSampler(
        train, replacement=False, num_samples=settings["repeats"] * len(train)
    )
    workers = {
        "num_workers": settings["loader_workers"],
        "persistent_workers": settings["loader_workers"] > 0,
    }
    return (
        torch.utils.data.DataLoader(train, config["batch_size"], sampler=sampler, drop_last=True, **workers),
        torch.utils.data.DataLoader(val, 256, **workers),
        len(train.classes),
    )


def make_model(settings, config, classes):
    """The pretrained network with a new head."""
    import timm
    from safetensors.torch import load_file

    arguments = {"num_classes": classes, "in_chans": settings["channels"], "drop_rate": config["dropout"]}
    if settings["network"] == "quarter_mobilenet":
        from timm.models.efficientnet import _gen_mobilenet_v1

        model = _gen_mobilenet_v1("mobilenetv1_100", channel_multiplier=0.25, pad_type="same", **arguments)
    else:
        model = timm.create_model(settings["network"], **arguments)
    head = {id(parameter) for parameter in model.get_classifier().parameters()}
    names = {name for name, parameter in model.named_parameters() if id(parameter) in head}
    state = load_file(settings["weights"])
    model.load_state_dict({name: value for name, value in state.items() if name not in names}, strict=False)
    return model, names


def make_groups(model, head, config):
    """Parameter groups of the strategy, and the epoch in which each parameter wakes."""
    from timm.models import group_parameters

    strategy = config["strategy"]
    lr = config[f"strategy.{strategy}.lr"]
    wakes = dict.fromkeys(dict(model.named_parameters()), 0)
    rates = dict.fromkeys(wakes, lr)
    if strategy == "feature_extraction":
        wakes = {name: 0 if name in head else None for name in wakes}
    if strategy in {"layer_decay", "gradual_unfreezing"}:
        layer = group_parameters(model, model.group_matcher(coarse=False), reverse=True)
        depth = max(layer.values())
        gamma = config[f"strategy.{strategy}.ratio"] ** (1 / depth)
        rates = {name: lr * gamma ** (depth - layer[name]) for name in wakes}
        if strategy == "gradual_unfreezing":
            share = config["strategy.gradual_unfreezing.unfrozen_by"]
            wakes = {name: round(share * config["epochs"] * (depth - layer[name]) / depth) for name in wakes}
    groups = [
        {
            "params": [parameter],
            "lr": rates[name],
            "weight_decay": config["weight_decay"] if parameter.ndim > 1 else 0.0,
        }
        for name, parameter in model.named_parameters()
        if wakes[name] is not None
    ]
    return groups, wakes


def train(config, settings):
    """One trial: a function trainable, as in Ray's documentation."""
    import torch
    from torch.nn import functional

    torch.manual_seed(config["seed"])
    train_loader, val_loader, classes = make_loaders(settings, config)
    model, head = make_model(settings, config, classes)
    groups, wakes = make_groups(model, head, config)
    optimizer = torch.optim.AdamW(groups)
    steps = len(train_loader) * config["epochs"]
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    amp = torch.autocast("cpu", dtype=torch.bfloat16, enabled=settings["precision"] == "bf16")
    for epoch in range(config["epochs"]):
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(wakes[name] is not None and epoch >= wakes[name])
        model.train()
        total = 0.0
        for images, labels in train_loader:
            optimizer.zero_grad()
            with amp:
                loss = functional.cross_entropy(model(images), labels)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            total += loss.item()
        model.eval()
        hits, loss_sum, count = 0, 0.0, 0
        with torch.no_grad(), amp:
            for images, labels in val_loader:
                logits = model(images).float()
                loss_sum += functional.cross_entropy(logits, labels, reduction="sum").item()
                hits += (logits.argmax(1) == labels).sum().item()
                count += len(labels)
        with tempfile.TemporaryDirectory() as folder:
            torch.save(
                {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch},
                Path(folder) / "checkpoint.pt",
            )
            tune.report(
                {
                    "train_loss": total / len(train_loader),
                    "val_loss": loss_sum / count,
                    "val_accuracy": hits / count,
                },
                checkpoint=tune.Checkpoint.from_directory(folder),
            )


def draw(trial: optuna.Trial, recipes: int) -> None:
    """The space, as Optuna defines it by running: which of the recipes."""
    trial.suggest_int("recipe", 0, recipes - 1)


def main() -> None:
    settings = json.loads(Path(sys.argv[1]).read_text())
    recipes = settings["recipes"]
    logging.getLogger("ray").setLevel(logging.ERROR)
    tracking = f"sqlite:///{settings['out']}/mlflow.db"
    mlflow.set_tracking_uri(tracking)
    mlflow.set_experiment("stock")

    points = [{"recipe": index} for index in range(len(recipes))]

    def train_recipe(config):
        train({**recipes[config["recipe"]], "epochs": settings["epochs"], "seed": config["recipe"]}, settings)

    tuner = tune.Tuner(
        tune.with_resources(train_recipe, {"cpu": 1}),
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(
                partial(draw, recipes=len(recipes)), metric="val_accuracy", mode="max", points_to_evaluate=points,
                sampler=optuna.samplers.RandomSampler(seed=0),
            ),
            scheduler=ASHAScheduler(
                metric="val_accuracy",
                mode="max",
                max_t=settings["epochs"],
                grace_period=settings["grace"],
                reduction_factor=settings["eta"],
            ),
            num_samples=len(recipes),
            max_concurrent_trials=settings["workers"],
        ),
        run_config=tune.RunConfig(
            name="stock",
            storage_path=settings["out"],
            verbose=0,
            checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
            callbacks=[MLflowLoggerCallback(tracking_uri=tracking, experiment_name="stock")],
        ),
    )  # fmt: skip
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    results = tuner.fit()
    epochs = [result.metrics.get("training_iteration", 0) for result in results if result.metrics]
    scores = [result.metrics.get("val_accuracy", 0.0) for result in results if result.metrics]
    errors = [str(error) for error in results.errors]
    print("STOCK " + json.dumps({"epochs": epochs, "best": max(scores, default=0.0), "errors": errors}))


if __name__ == "__main__":
    main()

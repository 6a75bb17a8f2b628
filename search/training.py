"""One training run from a recipe, with the same core as a study's trials."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from search.errors import StudyError
from search.recipe import Recipe, load_recipe
from search.score import trial_score
from spaces import InputError
from spaces.locate import locate

if TYPE_CHECKING:
    from trainables.protocol import Trainable

SHOWN = {"train/loss": ".4f", "val/loss": ".4f", "val/accuracy": ".4f", "lr": ".2e"}
"""Metric → how it is printed."""


def train_recipe(path: Path, seed: int | None, out: Path | None, console: Console) -> float:
    """Train, a line an epoch, and say the best validation score. The test split stays closed.

    With a recipe's own seed and arithmetic this gives the numbers of the trial that it comes from, on
    the same kind of device.

    Args:
        path: The recipe's file.
        seed: Another seed than the recipe's.
        out: Where to write the best weights; never over a file that is there.
        console: Where the lines go.

    Returns:
        The best validation score, or the mean over the folds of each one's best.

    Raises:
        InputError: The recipe cannot be trained, or `out` cannot be written or is there already.
        StudyError: The training diverged.
    """
    if out is not None:
        _check_new(out)
    recipe = load_recipe(path)
    trainable = _trainable(recipe, path, recipe.seed if seed is None else seed)
    if out is not None and not hasattr(trainable, "best_weights"):
        raise InputError(
            f"--out needs a trainable that keeps its best weights, but {recipe.trainable!r} does not"
        )
    from trainables.protocol import Diverged

    best, at = float("-inf"), 0
    scores: dict[int, float] = {}
    folds = max(recipe.folds, recipe.holdouts)
    budget = folds * recipe.settings.epochs
    record = None
    try:
        for record in trainable.epochs():
            figures = [
                f"{name} {record.metrics[name]:{form}}"
                for name, form in SHOWN.items()
                if name in record.metrics
            ]
            line = "  ".join([f"epoch {record.epoch:3d}/{budget}", *figures])
            console.print(line, markup=False, soft_wrap=True)
            scores[record.epoch] = record.score
            if record.score > best:
                best, at = record.score, record.epoch
            if record.ended:
                break  # a study would not train it any further either
    except Diverged as error:
        hint = "; a smaller learning rate may help" if error.diagnosis is None else ""
        raise StudyError(f"{path.name}: {error}{hint}") from None
    if record is not None and record.ended:
        console.print(f"the recipe ends itself here: {record.ended}", markup=False, soft_wrap=True)
    said = f"best validation score {best:.4f} at epoch {at}"
    if folds > 1:
        best = trial_score(scores, recipe.settings.epochs)
        said = f"best validation score {best:.4f}, the mean over {folds} folds"
    console.print(said, markup=False, soft_wrap=True)
    if out is not None:
        _write_weights(trainable, out)
        console.print(f"weights in {out}", markup=False, soft_wrap=True)
    return best


def _check_new(out: Path) -> None:
    """Found out now, and not after the training."""
    if out.exists() or out.is_symlink():
        raise InputError(f"--out must be a new file, but {out} exists")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("xb"):
            pass
        out.unlink()
    except OSError as error:
        raise InputError(f"--out must be a file that can be written, but {out}: {error.strerror}") from None


def _trainable(recipe: Recipe, path: Path, seed: int) -> Trainable:
    import torch

    from trainables.data import load_dataset
    from trainables.data.folds import with_folds
    from trainables.folded import Folded
    from trainables.material import prepare, reading_of
    from trainables.settling import settle

    torch.set_num_threads(recipe.threads)  # as in a study: another number would give other digits
    dataset = load_dataset(recipe.data, recipe.split_seed, reading_of(recipe.settings))
    material = prepare(with_folds(dataset, recipe.folds, recipe.holdouts, recipe.split_seed), recipe.settings)
    factory = locate(recipe.trainable)
    if not callable(factory):
        raise InputError(f"{path.name}: `trainable` must name a function, but {recipe.trainable!r} is none")
    try:
        fixed = settle(recipe.settings, material, recipe.threads)
        make = partial(Folded, factory) if material.folds else factory
        made: Trainable = make(recipe.params, fixed, seed, material)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from None
    return made


def _write_weights(trainable: Any, out: Path) -> None:
    from safetensors.torch import save_file

    try:
        save_file({name: tensor.contiguous() for name, tensor in trainable.best_weights.items()}, out)
    except OSError as error:
        raise StudyError(f"the weights could not be written to {out}: {error.strerror or error}") from None

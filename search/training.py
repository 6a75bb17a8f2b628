"""One training run from a recipe, with the same core as a study's trials."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from search.recipe import load_recipe
from spaces import InputError
from trainables.protocol import Diverged


def train_recipe(path: Path, seed: int | None, out: Path | None, console: Console) -> float:
    """Train, a line an epoch, and say the best validation score. The test split stays closed.

    Args:
        path: The recipe's file.
        seed: Another seed than the recipe's.
        out: Where to write the best weights; never over a file that is there.
        console: Where the lines go.

    Returns:
        The best validation score.

    Raises:
        InputError: The recipe cannot be trained, or `out` exists.
    """
    if out is not None and out.exists():
        raise InputError(f"--out must be a new file, but {out} exists")
    recipe = load_recipe(path)
    import torch
    from safetensors.torch import save_file

    from trainables.builder import from_params
    from trainables.data import load_dataset
    from trainables.material import prepare, settle

    torch.set_num_threads(1)  # as in a study: more threads would give other numbers
    material = prepare(load_dataset(recipe.data, recipe.split_seed), recipe.settings)
    trainable = from_params(
        recipe.params, settle(recipe.settings, material), recipe.seed if seed is None else seed, material
    )
    try:
        for record in trainable.epochs():
            figures = "  ".join(
                f"{name} {record.metrics[name]:.4f}"
                for name in ("train/loss", "val/loss", "val/accuracy", "lr")
            )
            console.print(f"epoch {record.epoch:3d}/{recipe.settings.epochs}  {figures}", markup=False)
    except Diverged as error:
        raise InputError(f"{path.name}: {error}; a smaller learning rate may help") from None
    console.print(
        f"best validation score {trainable.best_score:.4f} at epoch {trainable.best_epoch}", markup=False
    )
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous() for name, tensor in trainable.best_weights.items()}, out)
        console.print(f"weights in {out}", markup=False)
    return trainable.best_score

"""``train``: one recipe, once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.cli.parts import console


def train(
    recipe: Annotated[Path, typer.Argument(help="A YAML file, as `best` prints it.", metavar="RECIPE")],
    seed: Annotated[
        int | None,
        typer.Option(help="Another seed than the recipe's.", metavar="N", min=0, show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the weights of the best epoch to this new file (safetensors).",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Train once by a recipe, with the same core as a study."""
    from search.training import train_recipe

    train_recipe(recipe, seed, out, console())

"""``predict``: what an exported network says of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from search.cli.parts import NAME


def predict(
    model: Annotated[Path, typer.Argument(help="A folder that `best --export` wrote.", metavar="MODEL")],
    images: Annotated[
        list[Path], typer.Argument(help="Image files, and folders with images in them.", metavar="IMAGES...")
    ],
    top: Annotated[int, typer.Option(help="Likeliest classes an image.", metavar="N", min=1)] = 1,
    output: Annotated[
        Literal["text", "csv", "json"],
        typer.Option("--format", help="csv: a row a class; json: an object a line.", metavar="text|csv|json"),
    ] = "text",
    batch: Annotated[int, typer.Option(help="Images of a forward pass.", metavar="N", min=1)] = 64,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Run the code that builds the network, where it is somebody's own."),
    ] = False,
) -> None:
    """Name the class of each picture, with its probability.

    Pictures are decoded as the study's were, probabilities are calibrated. Images that cannot be read are named at the
    end, and make the exit code 1.
    """
    from search.export.predictions import print_predictions
    from trainables.exported import Exported
    from trainables.exported.pictures import picture_files

    files = picture_files(images)
    unread = print_predictions(
        Exported.load(model, trust=trust).predict(files, batch), top, output, typer.echo
    )
    for line in unread:
        typer.echo(f"{NAME}: {line}", err=True)
    if unread:
        raise typer.Exit(1)

"""``compare``: two recipes against each other."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from search.cli.parts import StoreOption, console, store_of, value
from search.cli.run import AddressOption, with_view


def compare(
    first: Annotated[
        str,
        typer.Argument(
            help="What is compared with: a recipe's YAML file, as `best` prints it; or of a study its winner (STUDY), "
            "one of its trials (STUDY:7) or its baseline (STUDY:baseline).",
            metavar="A",
        ),
    ],
    second: Annotated[str, typer.Argument(help="What is tried, likewise.", metavar="B")],
    seeds: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="With how many seeds each is trained; 5 if not given, or as many as the comparison has.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[str | None, value("What to call the comparison; A-vs-B if not given.", "NAME")] = None,
    data: Annotated[str | None, value("Another data set than the recipes', for both.", "DATA")] = None,
    any_difference: Annotated[
        bool, typer.Option("--any-difference", help="Also where more than one thing differs: not controlled.")
    ] = False,
    address: AddressOption = None,
    store: StoreOption = None,
) -> None:
    """Train two recipes that differ in one thing with the same seeds: which is better, and by how much?

    Paired by seed, on validation images: the test split stays as it is. What is trained already counts: the same
    command goes on after Ctrl-C or a crash, and more --seeds only add. `show` prints it again.
    """
    from search.comparison.compare import compare as run
    from search.view.comparison import render_comparison

    place = store_of(store)
    act = partial(
        run,
        first,
        second,
        seeds=seeds,
        name=name,
        data=data,
        any_difference=any_difference,
        store=place,
        address=address,
    )
    comparison = with_view(lambda view: act(view=view))
    render_comparison(comparison, place, console())

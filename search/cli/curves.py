"""Learning curves: recorded, and searched on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from search.cli.parts import NameArgument, StoreOption, console, load, store_of, value
from search.execution.resources import available_cores


def rehearse(
    study: Annotated[
        str, typer.Argument(help="A built-in study or a YAML file, as for `run`.", metavar="STUDY")
    ] = "digits",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting, as for `run`.")
    ] = None,
    curves: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CURVES",
            help="Recorded curves: a built-in table, or a file that `record` wrote. As often as needed; without it, "
            "all built-in ones and all of the store.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(help="Searches for each figure on each table.", metavar="N", min=1)
    ] = 5,
    trials: Annotated[str | None, value("Trials of the search in all.")] = None,
    budget_epochs: Annotated[
        str | None, value("Epochs that search and confirmation may train together.")
    ] = None,
    workers: Annotated[str | None, value("Trials at a time.")] = None,
    store: StoreOption = None,
) -> None:
    """Try searchers and schedulers for a study's budget on recorded curves, in simulated time.

    Says what regret each may expect, and what a larger budget or more workers would buy. Trains nothing.
    """
    from search.curves import tables_for
    from search.reading import load_spec, parse_setting
    from search.rehearsal import rehearse as try_out
    from search.view.check.progress import on_terminal
    from search.view.rehearsal import render_rehearsal

    overrides: dict[str, Any] = dict(parse_setting(text) for text in settings or [])
    numbers = {"trials": trials, "budget_epochs": budget_epochs, "workers": workers}
    overrides |= dict(parse_setting(f"{key}={text}") for key, text in numbers.items() if text is not None)
    spec = load_spec(study, overrides)
    with on_terminal() as shown:
        shown.on_phase("reading curves")
        tables = tables_for(curves or (), store_of(store))
        shown.on_phase("searching on recorded curves")
        rehearsal = try_out(spec, tables, spec.workers or available_cores(), seeds, shown.on_progress)
    render_rehearsal(rehearsal, console())


def record(
    name: NameArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A new .parquet file (curves/NAME.parquet of the store).", show_default=False
        ),
    ] = None,
    store: StoreOption = None,
) -> None:
    """Keep a study's learning curves as a table, for `rehearse`.

    Any study will do; one whose trials all ran through (--set scheduler=none --set searcher=random) tells most.
    """
    from search.curves import table_of
    from search.simulation.tables import write_table

    table = table_of(load(name, store))
    path = out if out is not None else store_of(store).tables / f"{name}.parquet"
    write_table(table, path)
    console().print(
        f"{len(table.recipes)} curves of at most {table.epochs} epochs in {path}",
        markup=False,
        soft_wrap=True,
    )

"""The studies that there are, and what is left of them."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from search.cli.parts import NameArgument, StoreOption, console, is_comparison, load, show_answer, store_of
from spaces.errors import InputError


def list_studies(store: StoreOption = None) -> None:
    """The studies that there are."""
    from search.overview import print_studies

    print_studies(store_of(store), console())


def show(name: NameArgument, store: StoreOption = None) -> None:
    """One study's leaderboard and answer, what mattered, and what to look at, so far; or a comparison."""
    from search.view.changes import render_changes
    from search.view.insight import render_insight
    from search.view.soundness import render_soundness
    from search.view.verdicts import render_verdicts

    if is_comparison(name, store):
        from search.comparison.entry import read
        from search.view.comparison import render_comparison

        render_comparison(read(store_of(store), name), store_of(store), console())
        return
    loaded = load(name, store)
    result = loaded.result()
    show_answer(loaded, result)
    insight = loaded.insight()
    render_insight(insight, console())
    if result.changes is not None:
        render_changes(result.changes, console())
    render_soundness(result, loaded.inspection(), console())
    elsewhere = f" --store {store}" if store is not None else ""
    render_verdicts(loaded.verdicts(insight), loaded.spec.name, elsewhere, console())


def report(
    name: NameArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where to (STORE/reports/NAME.html).", show_default=False),
    ] = None,
    store: StoreOption = None,
) -> None:
    """What a study found as one page to keep or send: no network is needed to read it.

    The same figures go beside it as JSON, and the trials as Parquet.
    """
    from search.report.files import write_report
    from search.report.gather import report_of

    loaded = load(name, store)
    elsewhere = f" --store {shlex.quote(str(store))}" if store is not None else ""
    path = out if out is not None else loaded.store.reports / f"{loaded.spec.name}.html"
    for file in write_report(report_of(loaded, elsewhere), path):
        typer.echo(file)


def inspect(
    name: NameArgument,
    images: Annotated[
        int, typer.Option("--images", metavar="N", min=1, help="Validation images that are spoilt, at most.")
    ] = 200,
    flatness: Annotated[
        bool, typer.Option("--flatness", help="Measure how flat the loss is about the weights, too.")
    ] = False,
    store: StoreOption = None,
) -> None:
    """Is the winner good, not only accurate? Spoilt images, its surest mistakes, and what these look like.

    It looks at validation images; the test split stays as it is.
    """
    from search.inspection.inspect import inspect as look
    from search.view.check.progress import on_terminal
    from search.view.soundness import render_inspection

    loaded = load(name, store)
    troubles: list[str] = []
    with on_terminal() as shown:
        found = look(
            loaded,
            images=images,
            flat=flatness,
            progress=shown.on_progress,
            tell=shown.on_phase,
            trouble=troubles.append,
        )
    for trouble in troubles:
        typer.echo(trouble, err=True)
    elsewhere = f" --store {shlex.quote(str(store))}" if store is not None else ""
    render_inspection(found, f"finetune-search report {loaded.spec.name}{elsewhere}", console())


def log(
    name: Annotated[
        str | None, typer.Argument(help="One study's alone.", metavar="[NAME]", show_default=False)
    ] = None,
    outcome: Annotated[
        str | None,
        typer.Option(
            metavar="SENTENCE",
            help="What came of that study's hypothesis, in your own words, where its trials do not tell.",
            show_default=False,
        ),
    ] = None,
    store: StoreOption = None,
) -> None:
    """What studies were run to find out (`run --hypothesis`), and what came of it."""
    from search.hypotheses.log import entries, write_outcome
    from search.register import find_study
    from search.view.log import print_log

    place = store_of(store)
    if outcome is not None:
        if name is None:
            raise InputError("--outcome needs the study that it is of: finetune-search log NAME --outcome …")
        print_log([write_outcome(place, name, outcome)], console())
        return
    if name is not None:
        find_study(place, name)
    found = [entry for entry in entries(place) if name in {None, entry.study}]
    if not found:
        typer.echo("no study has a hypothesis; give one: finetune-search run … --hypothesis SENTENCE")
    print_log(found, console())


def best(
    name: NameArgument,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write the winner's network and all that belongs to it into this new folder, for `predict`.",
            show_default=False,
        ),
    ] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="With --export: an ONNX file too.")] = False,
    store: StoreOption = None,
) -> None:
    """The winning recipe as YAML, for `train` and for people; or the winner itself, to be taken away.

    The recipe holds all that repeats the winning trial: finetune-search best digits > recipe.yaml
    """
    if export is None:
        if onnx:
            raise InputError("--onnx needs --export DIR: the file is written into that folder")
        from search.overview import best_recipe

        typer.echo(best_recipe(load(name, store)), nl=False)
        return
    from search.export.export import export_best
    from search.export.view import print_exported
    from search.view.check.progress import on_terminal

    with on_terminal() as shown:
        export_best(load(name, store), export, onnx=onnx, progress=shown.on_progress, tell=shown.on_phase)
    print_exported(export, console())


def clean(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Studies that have their answer: all weights but the winner's and the baseline's go.",
            metavar="[NAME]...",
            show_default=False,
        ),
    ] = None,
    cache: Annotated[
        bool,
        typer.Option("--cache", help="Also decoded images, stored features, built-in weights: made again."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
    store: StoreOption = None,
) -> None:
    """What old studies could give back, shown before it goes.

    Without a name, what is of no use to anybody: checkpoints of studies that the ledger does not know, files that a
    kill left unfinished. What is known of studies and trials always stays.
    """
    from search.cleaning import removable, remove
    from search.view.cleaning import print_removable, total

    place, given = store_of(store), tuple(names or ())
    parts = removable(place, given, cache=cache)
    if not parts:
        typer.echo("nothing to remove")
        return
    print_removable(parts, console())
    whole = total(parts)
    if not yes:
        if not sys.stdin.isatty():
            typer.echo(f"{whole} in all; nothing was removed: add --yes")
            return
        if not typer.confirm(f"remove all of this ({whole})?"):
            typer.echo("nothing was removed")
            return
    try:
        gone = remove(place, parts, given, cache=cache)
    except OSError as error:
        raise InputError(f"what is to go must be one's own to remove, but {error}") from None
    typer.echo(f"removed {total(gone)}")


def ui(
    port: Annotated[int, typer.Option(help="Port on this machine.", metavar="N", min=1, max=65535)] = 5000,
    store: StoreOption = None,
) -> None:
    """MLflow's pages over the store, on this machine only."""
    from search.ui import serve

    serve(store_of(store), port, typer.echo)

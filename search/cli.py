"""The command line: ``finetune-search``, also ``python -m search``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from search.exits import run_as_program
from spaces.errors import InputError

NAME = "finetune-search"

app = typer.Typer(
    name=NAME,
    help="Find the best way to fine-tune a pretrained image classifier, with the least compute.",
    epilog=f"Try: {NAME} run digits  (a few minutes on a laptop, nothing to download)",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)

StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="DIR",
        help="Folder of everything that running leaves behind (mlruns, or $FINETUNE_SEARCH_STORE).",
        show_default=False,
    ),
]
NameArgument = Annotated[str, typer.Argument(help="The study's name, as `list` shows it.", metavar="NAME")]


def _value(help: str, metavar: str = "N") -> Any:
    """A setting with an option of its own; a study's spec knows what it may be."""
    return typer.Option(metavar=metavar, help=help, show_default=False)


@app.command()
def run(
    study: Annotated[
        str | None,
        typer.Argument(
            help="A built-in study (digits, images), or a YAML file of your own. Without one: images if there is "
            "--data, else digits.",
            metavar="STUDY",
            show_default=False,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A setting of the study (eta=4), or a parameter of its space to fix (dropout=0.1) or to "
            "narrow (weight_decay=[1e-4,1e-3], strategy=[full,layer_decay]). As often as needed.",
        ),
    ] = None,
    name: Annotated[str | None, _value("What to call the study.", "NAME")] = None,
    trials: Annotated[str | None, _value("Trials of the search in all.")] = None,
    time: Annotated[str | None, _value("Seconds that the search may take.", "SECONDS")] = None,
    budget_epochs: Annotated[
        str | None, _value("Epochs that all trials of the search may train together.")
    ] = None,
    gpu_hours: Annotated[str | None, _value("Hours of all GPUs together that the search may take.")] = None,
    data: Annotated[
        str | None,
        _value(
            "A folder of class folders, a .csv or .parquet table, an .npz file, hf:ID, torchvision:NAME, a "
            "built-in, or package.module:attribute.",
            "DATA",
        ),
    ] = None,
    model: Annotated[str | None, _value("The built-in backbone, or an architecture of timm.", "NAME")] = None,
    space: Annotated[
        str | None, _value("A preset, a YAML file, or package.module:attribute.", "NAME")
    ] = None,
    epochs: Annotated[str | None, _value("Full budget of a trial.")] = None,
    folds: Annotated[
        str | None, _value("Judge each recipe by cross-validation on so many folds (small data sets).")
    ] = None,
    warm_start: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="An earlier study of the same space to learn from, or all. As often as needed.",
            show_default=False,
        ),
    ] = None,
    store: StoreOption = None,
) -> None:
    """Run a study, or continue it where it was interrupted.

    The same command goes on after Ctrl-C, a crash or a power cut. More --trials make a finished study longer.
    """
    from search.spec import parse_setting

    overrides: dict[str, Any] = dict(parse_setting(text) for text in settings or [])
    overrides |= {
        key: value for key, value in {"name": name, "data": data, "model": model, "space": space}.items()
        if value is not None
    }  # fmt: skip
    numbers = {
        "trials": trials,
        "time": time,
        "epochs": epochs,
        "folds": folds,
        "budget_epochs": budget_epochs,
        "gpu_hours": gpu_hours,
    }
    overrides |= dict(parse_setting(f"{key}={text}") for key, text in numbers.items() if text is not None)
    if warm_start:
        overrides["warm_start"] = warm_start

    from search.errors import StudyError
    from search.study import Study
    from search.view.live import make_view

    study = study or ("digits" if overrides.get("data", "digits") == "digits" else "images")
    loaded = Study.load(study, store=_store(store), **overrides)
    try:
        with make_view() as view:
            result = loaded.run(view)
    except KeyboardInterrupt:  # typer would end with 130 and not a word
        raise StudyError("interrupted; the same command goes on where it stopped") from None
    _show(loaded, result)


@app.command()
def check(
    data: Annotated[str, typer.Argument(help="As `run` takes it after --data.", metavar="DATA")],
    model: Annotated[
        str | None,
        _value("A pretrained network whose eyes find odd images and likely label errors too.", "NAME"),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A setting of data or model, as for `run` (pretrained=FILE)."
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with thumbnails.", show_default=False)
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all findings as JSON.", show_default=False)
    ] = None,
) -> None:
    """Find what is wrong with a data set before a GPU-hour is spent on it.

    Exit code 2 when training on it would be meaningless.
    """
    from search.check import check_data
    from search.spec import parse_setting
    from search.view.check.progress import on_terminal
    from search.view.check.terminal import render_check

    given: dict[str, Any] = dict(parse_setting(text) for text in settings or [])
    if model is not None:
        given["model"] = model
    with on_terminal() as shown:
        checked = check_data(data, given, shown.on_progress, shown.on_phase)
    render_check(checked.report, _console())
    if json is not None:
        from search.view.check.files import write_json

        write_json(checked.report, json)
        _console().print(f"findings in {json}", markup=False, soft_wrap=True)
    if html is not None:
        from search.view.check.page import write_page

        write_page(checked.report, html, checked.thumbnail)
        _console().print(f"page in {html}", markup=False, soft_wrap=True)
    if checked.report.meaningless:
        raise typer.Exit(2)


@app.command(name="list")
def list_studies(store: StoreOption = None) -> None:
    """The studies that there are."""
    from search.overview import print_studies

    print_studies(_store(store), _console())


@app.command()
def show(name: NameArgument, store: StoreOption = None) -> None:
    """One study's leaderboard and answer, as far as it has come."""
    loaded = _load(name, store)
    _show(loaded, loaded.result())


@app.command()
def best(name: NameArgument, store: StoreOption = None) -> None:
    """The winning recipe as YAML, for `train` and for people.

    It holds all that repeats the winning trial: finetune-search best digits > recipe.yaml
    """
    from search.overview import best_recipe

    typer.echo(best_recipe(_load(name, store)), nl=False)


@app.command()
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

    train_recipe(recipe, seed, out, _console())


@app.command()
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
    trials: Annotated[str | None, _value("Trials of the search in all.")] = None,
    budget_epochs: Annotated[
        str | None, _value("Epochs that all trials of the search may train together.")
    ] = None,
    workers: Annotated[str | None, _value("Trials at a time.")] = None,
    store: StoreOption = None,
) -> None:
    """Try searchers and schedulers for a study's budget on recorded curves, in simulated time.

    Says what regret each may expect, and what a larger budget or more workers would buy. Trains nothing.
    """
    from search.curves import tables_for
    from search.rehearsal import rehearse as try_out
    from search.spec import load_spec, parse_setting
    from search.view.check.progress import on_terminal
    from search.view.rehearsal import render_rehearsal

    overrides: dict[str, Any] = dict(parse_setting(text) for text in settings or [])
    numbers = {"trials": trials, "budget_epochs": budget_epochs, "workers": workers}
    overrides |= dict(parse_setting(f"{key}={text}") for key, text in numbers.items() if text is not None)
    spec = load_spec(study, overrides)
    with on_terminal() as shown:
        shown.on_phase("reading curves")
        tables = tables_for(curves or (), _store(store))
        shown.on_phase("searching on recorded curves")
        rehearsal = try_out(spec, tables, spec.workers or _cores(), seeds, shown.on_progress)
    render_rehearsal(rehearsal, _console())


@app.command()
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

    table = table_of(_load(name, store))
    path = out if out is not None else _store(store).tables / f"{name}.parquet"
    write_table(table, path)
    _console().print(
        f"{len(table.recipes)} curves of at most {table.epochs} epochs in {path}",
        markup=False,
        soft_wrap=True,
    )


@app.command()
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

    place, given = _store(store), tuple(names or ())
    parts = removable(place, given, cache=cache)
    if not parts:
        typer.echo("nothing to remove")
        return
    console = _console()
    print_removable(parts, console)
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


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port on this machine.", metavar="N", min=1, max=65535)] = 5000,
    store: StoreOption = None,
) -> None:
    """MLflow's pages over the store, on this machine only."""
    from search.ui import serve

    serve(_store(store), port, typer.echo)


def _cores() -> int:
    from search.execution.cluster import available_cores

    return available_cores()


def _store(path: Path | None) -> Any:
    from search.store.layout import Store

    return Store.at(path) if path is not None else Store.default()


def _load(name: str, store: Path | None) -> Any:
    import optuna

    from search.overview import load_study

    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it says which studies it opens
    return load_study(_store(store), name)


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False)


def _show(study: Any, result: Any) -> None:
    from search.view.answer import render_answer

    render_answer(result, study.spec, study.store, _console())


def main() -> NoReturn:
    """Run the command line; exit 0 when done, 2 for bad input with one sentence, 1 for anything else."""
    run_as_program(app, NAME)

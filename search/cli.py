"""The command line: ``finetune-search``, also ``python -m search``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from spaces.errors import InputError

app = typer.Typer(
    name="finetune-search",
    help="Find the best way to fine-tune a pretrained image classifier, with the least compute.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)

StoreOption = Annotated[
    Path | None,
    typer.Option("--store", help="Folder of everything that running leaves behind.", show_default="mlruns"),
]
NameArgument = Annotated[str, typer.Argument(help="The study's name.", metavar="NAME")]


@app.command()
def run(
    study: Annotated[
        str, typer.Argument(help="A built-in study's name, or a YAML file.", metavar="[STUDY]")
    ] = "digits",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A setting of the study, or a parameter to fix or narrow."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Another name for the study.")] = None,
    trials: Annotated[int | None, typer.Option(help="Trials of the search in all.")] = None,
    time: Annotated[float | None, typer.Option(help="Seconds after which no new trial begins.")] = None,
    data: Annotated[str | None, typer.Option(help="The data set.")] = None,
    model: Annotated[str | None, typer.Option(help="A built-in backbone, or a timm architecture.")] = None,
    space: Annotated[
        str | None, typer.Option(help="A preset, a YAML file, or package.module:attribute.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Full budget of a trial.")] = None,
    store: StoreOption = None,
) -> None:
    """Run a study, or continue it where it was interrupted."""
    from search.spec import parse_setting

    overrides: dict[str, Any] = dict(parse_setting(text) for text in settings or [])
    given = {
        "name": name, "trials": trials, "time": time, "data": data, "model": model, "space": space,
        "epochs": epochs,
    }  # fmt: skip
    overrides |= {key: value for key, value in given.items() if value is not None}

    from search.study import Study
    from search.view.live import make_view

    loaded = Study.load(study, store=_store(store), **overrides)
    with make_view() as view:
        result = loaded.run(view)
    _show(loaded, result)


@app.command(name="list")
def list_studies(store: StoreOption = None) -> None:
    """The studies that there are."""
    from search.overview import print_studies

    print_studies(_store(store), _console())


@app.command()
def show(name: NameArgument, store: StoreOption = None) -> None:
    """One study's leaderboard and answer."""
    loaded = _load(name, store)
    _show(loaded, loaded.result())


@app.command()
def best(name: NameArgument, store: StoreOption = None) -> None:
    """The winning recipe as YAML: save it, and run it with `train`."""
    from search.recipe import recipe_of

    loaded = _load(name, store)
    try:
        winner = loaded.result().best
    except LookupError as error:
        raise InputError(str(error)) from None
    typer.echo(recipe_of(loaded.spec, winner.params), nl=False)


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe, as `best` prints it.", metavar="RECIPE")],
    seed: Annotated[int | None, typer.Option(help="Another seed than the recipe's.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the best weights (safetensors).")] = None,
) -> None:
    """Train once by a recipe, with the same core as a study."""
    from search.training import train_recipe

    train_recipe(recipe, seed, out, _console())


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 5000,
    store: StoreOption = None,
) -> None:
    """MLflow's pages over the store, on this machine only."""
    from search.store.databases import prepare

    where = _store(store)
    prepare(where)
    command = [
        sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", where.mlflow_uri,
        "--default-artifact-root", str(where.artifacts), "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1",
    ]  # fmt: skip
    typer.echo(f"MLflow on http://127.0.0.1:{port} (Ctrl-C ends it)")
    environment = {
        **os.environ,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }  # ten processes in place of three
    server = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        code = server.wait()
    except KeyboardInterrupt:
        code = 0
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)  # its children too
            server.wait()
    if code:
        raise typer.Exit(1)


def _store(path: Path | None) -> Any:
    from search.store.layout import Store

    return Store(path) if path is not None else Store.default()


def _load(name: str, store: Path | None) -> Any:
    from search.overview import load_study

    return load_study(_store(store), name)


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False)


def _show(study: Any, result: Any) -> None:
    from search.view.answer import render_answer

    render_answer(result, study.spec, study.store, _console())


def main() -> NoReturn:
    """Run the command line; exit 0 when done, 2 for bad input with one sentence, 1 for anything else."""
    from search.errors import StudyError

    try:
        app(standalone_mode=False)
    except InputError as error:
        _fail(str(error), 2)
    except StudyError as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("interrupted; the same command goes on where it stopped", 1)
    except typer.Exit as error:
        sys.exit(error.exit_code)
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # click's own: a mistyped option
            _fail(error.format_message(), 2)
        raise
    sys.exit(0)


def _fail(sentence: str, code: int) -> NoReturn:
    print(f"finetune-search: {sentence}", file=sys.stderr)
    sys.exit(code)

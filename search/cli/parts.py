"""What commands have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

NAME = "finetune-search"

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


def value(help: str, metavar: str = "N") -> Any:
    """A setting with an option of its own; a study's spec knows what it may be."""
    return typer.Option(metavar=metavar, help=help, show_default=False)


def store_of(path: Path | None) -> Any:
    """The store that an option names, or the one of the working folder."""
    from search.store.layout import Store

    return Store.at(path) if path is not None else Store.default()


def load(name: str, store: Path | None) -> Any:
    """A study of the store.

    Raises:
        InputError: There is none of that name.
    """
    import optuna

    from search.overview import load_study

    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it says which studies it opens
    return load_study(store_of(store), name)


def is_comparison(name: str, store: Path | None) -> bool:
    """Whether what the store has by this name is a comparison of two recipes.

    Raises:
        InputError: There is nothing of that name.
    """
    from search.register import COMPARISON, find_study

    return COMPARISON in find_study(store_of(store), name).user_attrs


def console() -> Any:
    """Where answers are printed."""
    from rich.console import Console

    return Console(highlight=False)


def show_answer(study: Any, result: Any) -> None:
    """Leaderboard and answer."""
    from search.view.answer import render_answer

    render_answer(result, study.spec, study.store, console())

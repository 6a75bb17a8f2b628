"""``run``: a study from its start or from where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import typer

from search.cli.parts import NameArgument, StoreOption, console, load, show_answer, store_of, value

AddressOption = Annotated[
    str | None,
    value("The Ray cluster to use, where it is another than the study's: auto, or host:port.", "ADDRESS"),
]


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
    name: Annotated[str | None, value("What to call the study.", "NAME")] = None,
    trials: Annotated[str | None, value("Trials of the search in all.")] = None,
    time: Annotated[str | None, value("Seconds that search and confirmation may take.", "SECONDS")] = None,
    budget_epochs: Annotated[
        str | None, value("Epochs that search and confirmation may train together.")
    ] = None,
    gpu_hours: Annotated[
        str | None, value("Hours of all GPUs together that search and confirmation may take.")
    ] = None,
    data: Annotated[
        str | None,
        value(
            "A folder of class folders, a .csv or .parquet table, an .npz file, hf:ID, torchvision:NAME, a "
            "built-in, or package.module:attribute.",
            "DATA",
        ),
    ] = None,
    model: Annotated[str | None, value("The built-in backbone, or an architecture of timm.", "NAME")] = None,
    space: Annotated[str | None, value("A preset, a YAML file, or package.module:attribute.", "NAME")] = None,
    epochs: Annotated[str | None, value("Full budget of a trial.")] = None,
    folds: Annotated[
        str | None, value("Judge each recipe by cross-validation on so many folds (small data sets).")
    ] = None,
    warm_start: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="An earlier study of the same space to learn from, or all. As often as needed.",
            show_default=False,
        ),
    ] = None,
    address: Annotated[
        str | None,
        value(
            "A Ray cluster that runs already, joined from one of its machines: auto, or host:port.", "ADDRESS"
        ),
    ] = None,
    like: Annotated[
        str | None,
        value("An earlier study of the store to do as; with --name, and what shall differ.", "NAME"),
    ] = None,
    hypothesis: Annotated[
        str | None,
        value(
            'What the study is to find out, in a sentence: "dropout > 0.2", "stronger augmentation helps". Judged at '
            "its end, and kept for `log`.",
            "SENTENCE",
        ),
    ] = None,
    center_lr: Annotated[
        bool,
        typer.Option(
            "--center-lr",
            help="Search learning rates a decade on either side of what a short ramp suggests, strategy by strategy "
            "(see `preflight`).",
        ),
    ] = False,
    store: StoreOption = None,
) -> None:
    """Run a study, or continue it where it was interrupted.

    The same command goes on after Ctrl-C, a crash or a power cut. More --trials make a finished study longer.
    """
    given = dict(locals())
    from search.reading import spec_like
    from search.study import Study
    from spaces import InputError

    named, overrides = asked_for(given)
    if like is None:
        loaded = Study.load(named, store=store_of(store), **overrides)
    elif study is not None:
        raise InputError(f"one of STUDY and --like must be given, but got {study} and {like}")
    else:
        loaded = load(like, store)
        loaded = replace(loaded, spec=spec_like(loaded.spec, overrides))
    if center_lr:
        from search.preflight.before import center_rates

        loaded = replace(loaded, spec=with_view(partial(center_rates, loaded)))
    show_answer(loaded, with_view(loaded.run))


def confirm(
    name: NameArgument,
    finalists: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="How many of the best race.", show_default=False)
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="With how many new seeds the winner and the baseline are measured.",
            show_default=False,
        ),
    ] = None,
    address: AddressOption = None,
    store: StoreOption = None,
) -> None:
    """Confirm a study whose search is over: with more finalists or seeds than before, or at all.

    What is trained already counts. Where a difference is too close to tell, the answer says how many seeds would tell.
    The study keeps what is given here until `run` is given something else.
    """
    loaded = _on(load(name, store), address)
    result = with_view(partial(loaded.confirm, finalists=finalists, seeds=seeds))
    show_answer(load(name, store), result)  # as the study is now


def perturb(
    name: NameArgument,
    seeds: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="With how many seeds each change is trained; as many as the winner was measured with if not given.",
            show_default=False,
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PARAMETER",
            help="Change this parameter only. As often as needed.",
            show_default=False,
        ),
    ] = None,
    address: AddressOption = None,
    store: StoreOption = None,
) -> None:
    """Change one parameter of the winner at a time, up, down and off: what does it matter?

    Each change is trained on the seeds that measured the winner, and compared seed by seed, on validation images: the
    test split stays as it is. What is trained already counts.
    """
    from search.view.changes import render_changes

    loaded = _on(load(name, store), address)
    result = with_view(partial(loaded.perturb, seeds=seeds, only=tuple(only or ())))
    if result.changes is not None:
        render_changes(result.changes, console())


def _on(study: Any, address: str | None) -> Any:
    """The study on another cluster, where one is given."""
    if address is None:
        return study
    return replace(study, spec=study.spec.model_copy(update={"ray_address": address}))


def with_view(act: Callable[[Any], Any]) -> Any:
    """What `act` gives, with what happens shown.

    Raises:
        StudyError: It was interrupted.
    """
    from search.errors import StudyError
    from search.view.live import make_view

    try:
        with make_view() as view:
            return act(view)
    except KeyboardInterrupt:  # typer would end with 130 and not a word
        raise StudyError("interrupted; the same command goes on where it stopped") from None


WORDS = ("name", "data", "model", "space", "hypothesis")
NUMBERS = ("trials", "time", "epochs", "folds", "budget_epochs", "gpu_hours")
"""Options of `run` that are settings of their names: as they are typed, and read as YAML."""


def asked_for(given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The study that was typed, and its settings.

    Args:
        given: The parameters of `run`.

    Raises:
        InputError: A setting has not its form.
    """
    from search.reading import parse_setting

    overrides: dict[str, Any] = dict(parse_setting(text) for text in given["settings"] or [])
    overrides |= {key: given[key] for key in WORDS if given[key] is not None}
    overrides |= dict(parse_setting(f"{key}={given[key]}") for key in NUMBERS if given[key] is not None)
    if given["address"] is not None:
        overrides["ray_address"] = given["address"]
    if given["warm_start"]:
        overrides["warm_start"] = list(given["warm_start"])
    study = given["study"] or ("digits" if overrides.get("data", "digits") == "digits" else "images")
    return study, overrides

"""``preflight``: whether a study can work, before it begins."""

from __future__ import annotations

import json as json_
import sys
from pathlib import Path
from typing import Annotated

import typer

from search.cli.parts import StoreOption, console, store_of


def preflight(
    study: Annotated[
        str | None,
        typer.Argument(
            help="As `run` takes it. Without one: images if there is a setting data, else digits.",
            metavar="STUDY",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="DATA", help="As for `run`.", show_default=False)
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="As for `run`.", show_default=False)
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="As for `run`. As often as needed.", show_default=False
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page with pictures and plots.", show_default=False),
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all figures as JSON.", show_default=False)
    ] = None,
    store: StoreOption = None,
) -> None:
    """Find out in a minute whether a study can work: data, network, recipe, learning rates, time and memory.

    Nothing of the study begins. `run` makes the short form of it by itself. Exit code 2 when the study cannot work.
    """
    from search.reading import parse_setting
    from search.study import Study
    from search.view.live import make_view
    from search.view.preflight import render_preflight

    given = dict(parse_setting(text) for text in settings or [])
    given |= {key: value for key, value in (("data", data), ("model", model)) if value is not None}
    named = study or ("digits" if given.get("data", "digits") == "digits" else "images")
    loaded = Study.load(named, store=store_of(store), **given)
    with make_view(sys.stderr) as view:
        seen = loaded.preflight(view)
    render_preflight(seen, console())
    if json is not None:
        from search.ours import bearing, write_ours
        from search.preflight.page import MARK

        write_ours(json, json_.dumps({"made_by": MARK, **seen.to_dict()}), bearing(MARK))
        console().print(f"figures in {json}", markup=False, soft_wrap=True)
    if html is not None:
        from search.ours import bearing, write_ours
        from search.preflight.page import MARK, page

        write_ours(html, page(seen), bearing(MARK))
        console().print(f"page in {html}", markup=False, soft_wrap=True)
    if seen.blockers:
        raise typer.Exit(2)

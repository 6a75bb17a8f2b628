"""``check``: what is wrong with a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from search.cli.parts import console, value


def check(
    data: Annotated[str, typer.Argument(help="As `run` takes it after --data.", metavar="DATA")],
    model: Annotated[
        str | None,
        value("A pretrained network whose eyes find odd images and likely label errors too.", "NAME"),
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
    from search.reading import parse_setting
    from search.view.check.progress import on_terminal
    from search.view.check.terminal import render_check

    given: dict[str, Any] = dict(parse_setting(text) for text in settings or [])
    if model is not None:
        given["model"] = model
    with on_terminal() as shown:
        checked = check_data(data, given, shown.on_progress, shown.on_phase)
    render_check(checked.report, console())
    if json is not None:
        from search.view.check.files import write_json

        write_json(checked.report, json)
        console().print(f"findings in {json}", markup=False, soft_wrap=True)
    if html is not None:
        from search.view.check.page import write_page

        write_page(checked.report, html, checked.thumbnail)
        console().print(f"page in {html}", markup=False, soft_wrap=True)
    if checked.report.meaningless:
        raise typer.Exit(2)

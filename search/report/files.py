"""The three files of a report: the page, and beside it its figures as JSON and its trials as Parquet."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

from search.ours import bearing, check_ours, write_ours
from search.report.page import page
from search.report.report import MARK, Report
from spaces import InputError

if TYPE_CHECKING:
    import pandas


def write_report(report: Report, path: Path) -> list[Path]:
    """Write all three, or none of them.

    Args:
        report: The study.
        path: Where the page goes; the others are called like it.

    Returns:
        The page, the figures, the trials.

    Raises:
        InputError: `path` does not end in ``.html``, there is a file of another kind, or none can be written there.
    """
    if path.suffix.lower() not in {".html", ".htm"}:
        raise InputError(f"a report must go to a file whose name ends in .html, but got {str(path)!r}")
    data, trials = path.with_suffix(".json"), path.with_suffix(".parquet")
    text = bearing(MARK)
    for file, ours in ((path, text), (data, text), (trials, _is_ours)):
        check_ours(file, ours)
    write_ours(trials, parquet(report), _is_ours)
    write_ours(data, figures(report), text)
    write_ours(path, page(report), text)
    return [path, data, trials]


def figures(report: Report) -> str:
    """All figures of the page as JSON."""
    return json.dumps(report.to_dict(), allow_nan=False)


def parquet(report: Report) -> bytes:
    """The trials, a row each, as `StudyResult.dataframe` has them."""
    import pyarrow
    from pyarrow import parquet as format_

    table = pyarrow.Table.from_pandas(_plain(report.result.dataframe()), preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"made_by": MARK.encode()})
    out = io.BytesIO()
    format_.write_table(table, out)
    return out.getvalue()


def _plain(frame: pandas.DataFrame) -> pandas.DataFrame:
    """The same with a single kind of value a column: one of several kinds (an option ``none`` beside 0.1) is text."""
    from pandas.api.types import is_object_dtype

    frame = frame.copy()
    for name in frame.columns:
        kinds = {type(value) for value in frame[name].dropna()} if is_object_dtype(frame[name]) else set()
        if len(kinds) > 1 and kinds != {int, float}:
            frame[name] = [
                None if missing else str(value)
                for value, missing in zip(frame[name], frame[name].isna(), strict=True)
            ]
    return frame


def _is_ours(path: Path) -> bool:
    import pyarrow
    from pyarrow import parquet as format_

    try:
        found = format_.read_metadata(path).metadata or {}
    except pyarrow.ArrowInvalid:
        return False
    return bool(found.get(b"made_by") == MARK.encode())

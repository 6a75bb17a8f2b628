"""Predictions as they are printed: for people, as CSV, and as JSON, a line at a time."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from typing import Literal

from search.view import words
from trainables.exported import Prediction

HEADING = ("image", "label", "probability")


def print_predictions(
    predictions: Iterable[Prediction],
    top: int,
    output: Literal["text", "csv", "json"],
    write: Callable[[str], object],
) -> list[str]:
    """Print each image's likeliest classes as soon as they are known. No escape sequence gets through.

    Args:
        predictions: One an image.
        top: Classes an image.
        output: ``text``: a line an image; ``csv``: a row a class, with a heading; ``json``: an object and line
            an image.
        write: Prints a line.

    Returns:
        A line for each image that could not be read: its name, and why.
    """
    unread: list[str] = []
    if output == "csv":
        write(_row(*HEADING))
    for one in predictions:
        if not one.probabilities:
            unread.append(f"{words.printable(one.name)}: {words.printable(one.reason)}")
            continue
        best = one.best(top)
        if output == "json":
            classes = [{"label": label, "probability": round(share, 6)} for label, share in best]
            write(json.dumps({"image": one.name, "classes": classes}))  # ASCII: all else is escaped
        elif output == "csv":
            for label, share in best:
                write(_row(words.printable(one.name), words.printable(label), f"{share:.6f}"))
        else:
            told = ", ".join(f"{words.printable(label)} {words.percent(share)}" for label, share in best)
            write(f"{words.printable(one.name)}: {told}")
    return unread


def _row(*cells: str) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()

"""Files of a kind that is not that of the others, and what is done with them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from trainables.quality.finding import Finding, Severity, one_each, share
from trainables.quality.subject import Subject

DARK = 0.25
"""Brightest value of a 16-bit image, as a share of what 16 bits hold, below which it would come out dark."""

OUTCOMES = {
    "grey": "the same value in each channel",
    "see-through": "laid on white",
    "palette": "looked up in their palettes",
    "CMYK": "converted to RGB",
    "16-bit": "scaled from their whole range",
    "colour": "taken as they are",
}
"""Kind → what the decoder does with such images."""


def find_kinds(subject: Subject) -> Iterable[Finding]:
    """Mixed kinds of pixels, animations, EXIF-rotated images, and 16-bit images that use little of their range."""
    facts, rows = subject.facts, subject.readable
    kind = np.asarray([kind_of(str(facts.mode[row])) for row in rows])
    yield from _mixed(subject, rows, kind)
    for name, chosen, says, advice in (
        ("animated", facts.frames[rows] > 1, "are animations, of which the first frame is taken",
         "Extract the frames that are meant, if it is not the first."),
        ("rotated", facts.rotated[rows], "are to be turned for display by their EXIF, which is done",
         "Nothing needs to be done here; tools that ignore EXIF see them lying on their side."),
    ):  # fmt: skip
        if chosen.any():
            yield Finding(
                kind=name,
                severity=Severity.NOTICE,
                says=f"{share(int(chosen.sum()), len(rows))} {says}.",
                advice=advice,
                count=int(chosen.sum()),
                groups=one_each(rows[chosen]),
            )
    dark = (kind == "16-bit") & (facts.peak[rows] < DARK)
    if dark.any():
        top = round(float(facts.peak[rows][dark].max()) * 65535)
        yield Finding(
            kind="dark_16_bit",
            severity=Severity.WARNING,
            says=f"{share(int(dark.sum()), len(rows))} have 16 bits and use at most "
            f"{100 * float(facts.peak[rows][dark].max()):.2g} % of their range: they come out nearly black.",
            advice=f"Name the values that are meant: --set window=[0,{top}].",
            count=int(dark.sum()),
            groups=one_each(
                rows[dark], lambda row: f"brightest value {round(float(facts.peak[row]) * 65535)}"
            ),
        )


def _mixed(subject: Subject, rows: NDArray[np.int64], kind: NDArray[np.str_]) -> Iterable[Finding]:
    names, counts = np.unique(kind, return_counts=True)
    if len(names) < 2:
        return
    usual = names[np.argmax(counts)]
    odd = rows[kind != usual]
    rare = {str(name): int(count) for name, count in zip(names, counts, strict=True) if name != usual}
    listed = "; ".join(f"{count:,} {name} ({OUTCOMES[name]})" for name, count in rare.items())
    yield Finding(
        kind="mixed_kinds",
        severity=Severity.NOTICE,
        says=f"{share(len(odd), len(rows))} are not {usual} as the others are: {listed}.",
        advice="Make sure that the kind says nothing of the class: a network would learn to tell grey from "
        "colour before it learns what is shown.",
        count=len(odd),
        groups=one_each(odd, lambda row: f"{subject.facts.format[row]}, {subject.facts.mode[row]}"),
        figures=tuple(rare.items()),
    )


def kind_of(mode: str) -> str:
    """What people call Pillow's mode, or an array's type and channels."""
    if mode in ("1", "L") or mode.endswith("×1"):
        return "16-bit" if mode.startswith("uint16") else "grey"
    if mode.startswith(("I", "F", "uint16")):
        return "16-bit"
    if mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        return "see-through"
    return {"P": "palette", "CMYK": "CMYK"}.get(mode, "colour")

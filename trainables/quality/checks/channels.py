"""What the channels hold: nothing, the same thing three times, or the same value everywhere."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from trainables.quality.checks.kinds import kind_of
from trainables.quality.finding import Finding, Severity, one_each, share
from trainables.quality.subject import Subject

BLANK = 0.005
"""Standard deviation of brightness, in [0, 1], below which a picture shows nothing: about one grey level."""

STEP = 1 / 255


def find_channels(subject: Subject) -> Iterable[Finding]:
    """Blank pictures, channels without contents, and grey pictures stored in colour."""
    facts, rows = subject.facts, subject.readable
    if not len(rows):
        return
    blank = facts.contrast[rows] < BLANK
    blank &= facts.deviation[rows].max(axis=1) < BLANK
    if blank.any():
        yield Finding(
            kind="blank",
            severity=Severity.BLOCKER if blank.all() else Severity.WARNING,
            says=f"{share(int(blank.sum()), len(rows))} show nothing: all their pixels have one colour.",
            advice="Remove them: they teach a class that is not there.",
            count=int(blank.sum()),
            groups=one_each(rows[blank], lambda row: f"brightness {facts.brightness[row]:.2f}"),
        )
    shown = rows[~blank]
    if not len(shown) or facts.mean.shape[1] < 2:
        return
    constant = (facts.deviation[shown] < BLANK).all(axis=0)
    if constant.any() and not constant.all() and facts.mean.shape[1] != 4:  # an opaque alpha is no wonder
        names = ", ".join(str(channel + 1) for channel in np.flatnonzero(constant).tolist())
        yield Finding(
            kind="constant_channel",
            severity=Severity.WARNING,
            says=f"Channel {names} of {facts.mean.shape[1]} has one value in every image.",
            advice="Look at how the images were exported; a channel without contents is one that was lost.",
            count=int(constant.sum()),
            unit="channel",
        )
    same = np.abs(facts.mean[shown] - facts.mean[shown, :1]).max(axis=1) < STEP / 4
    same &= np.abs(facts.deviation[shown] - facts.deviation[shown, :1]).max(axis=1) < STEP / 4
    colour = np.asarray([kind_of(str(facts.mode[row])) == "colour" for row in shown])
    if same.all() and colour.any():
        yield Finding(
            kind="grey_in_colour",
            severity=Severity.NOTICE,
            says="All images are grey, though they are stored in colour.",
            advice="One channel is enough, and a little faster: --set channels=1.",
            count=len(shown),
        )

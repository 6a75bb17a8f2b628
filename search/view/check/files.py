"""Files that a check leaves behind: written whole or not at all, and never over somebody else's."""

from __future__ import annotations

import json
from pathlib import Path

from search.ours import bearing, write_ours
from trainables.quality.report import Report

MARK = "finetune-search check"
"""In every file that we write: only what bears it is written over."""


def write_json(report: Report, path: Path) -> None:
    """The report as JSON. File names that are no text are written as their bytes are escaped.

    Raises:
        InputError: There is a file of another kind, or none can be written there.
    """
    write_ours(path, json.dumps({"made_by": MARK, **report.to_dict()}, indent=1), bearing(MARK))

"""Submitted studies, on the terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from search.jobs.jobs import Job
from search.view.words import clock


def print_jobs(jobs: Sequence[Job], console: Console) -> None:
    """A line for each, or a word that there are none."""
    if not jobs:
        console.print("no study was submitted there yet", markup=False)
        return
    table = Table(box=None, pad_edge=False)
    for title in ("job", "study", "state", "since", "took"):
        table.add_column(title, overflow="fold")
    for job in jobs:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.began)) if job.began else ""
        took = clock((job.ended or time.time()) - job.began) if job.began else ""
        table.add_row(job.id, job.study, job.state, since, took)
    console.print(table)
    if len(jobs) == 1 and jobs[0].said:
        console.print(jobs[0].said, markup=False)

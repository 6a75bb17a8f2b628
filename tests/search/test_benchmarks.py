"""The scripts of `benchmarks/` run: what they call changes with the project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHORT = ["--seeds", "2", "--trainings", "2"]

RUNS = {
    "search": [*SHORT, "--tasks", "families", "--only", "default", "--rows"],
    "warm": SHORT,
    "decisions": ["--trials", "12"],
}


@pytest.mark.parametrize("script", RUNS)
def test_a_script_prints_its_table(script):
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / f"{script}.py"), *RUNS[script]],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) >= 2
    assert "nan" not in done.stdout


def test_the_searches_of_others_ask_as_the_policy_does():
    """Their packages are in an environment of their own; what joins them to the project is not."""
    code = (
        "import sys; sys.path.insert(0, 'benchmarks'); import _package; others = _package.script('others');"
        "from search.decisions.scheduler import Scheduler; import inspect;"
        "joins = [kind for kind in vars(others).values() if inspect.isclass(kind) and hasattr(kind, 'resume')"
        " and kind.__module__ == others.__name__];"
        "assert joins;"
        "assert all(inspect.signature(kind.resume) == inspect.signature(Scheduler.resume) for kind in joins)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

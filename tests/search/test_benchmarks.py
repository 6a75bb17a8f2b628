"""The scripts of `benchmarks/` run: what they call changes with the project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHORT = ["--seeds", "2", "--trainings", "2"]

QUICK = {
    "search": [*SHORT, "--tasks", "recorded", "--only", "default", "--rows"],
    "decisions": ["--trials", "12"],
    "driver": ["--records", "24", "--workers", "2", "--space", "finetune"],
}
SLOW = {
    "warm": SHORT,
    "features": ["--pairs", "2"],
    "starting": ["--trials", "3"],
    "processor": ["--rounds", "1", "test_resnet"],
    "stock": ["--trials", "3", "--runs", "1"],
    "overhead": ["--runs", "1", "--", "--trials", "2"],
    "sharing": [
        "--device",
        "cpu",
        "--numbers",
        "2",
        "--trials",
        "2",
        "--epochs",
        "2",
        "--models",
        "test_resnet",
        "--size",
        "32",
    ],
    "core": ["--rounds", "1", "test_resnet"],
    "preflight": ["--runs", "1", "--trials", "2"],
    "limits": ["--seeds", "1", "--workers", "2", "--limits", "20"],
    "confirming": ["--studies", "20"],
    "mattering": ["--studies", "2"],
    "data": ["--images", "60", "--size", "32", "--epochs", "1"],
}
RUNS = QUICK | SLOW


@pytest.mark.parametrize("script", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_a_script_prints_its_table(script):
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / f"{script}.py"), *RUNS[script]],
        capture_output=True, text=True, check=False, timeout=550,
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


PAGE = """# A page
<!-- made by: -c 'print("| new |")' -->
| old |
<!-- end -->
between
<!-- made by: -c 'raise SystemExit(1)' -->
| stays |
<!-- end -->
"""


def write(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "benchmarks" / "write.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_page_is_given_what_its_commands_print_and_keeps_what_fails(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert write("--list", "--pages", str(page)).stdout.count("python -c") == 2
    assert page.read_text() == PAGE
    assert write("no such word", "--pages", str(page)).returncode == 1
    done = write("--pages", str(page))
    assert done.returncode == 1
    assert "raise SystemExit(1) failed: its text stays" in done.stderr.replace("'", "").replace("-c ", "")
    text = page.read_text()
    assert "| old |" not in text
    assert "```\npython -c 'print(\"| new |\")'\n```\n\n| new |\n\n(" in text
    assert text.endswith(PAGE[PAGE.index("between") :])
    assert write("new", "--pages", str(page)).returncode == 0  # its comments are still there
    assert page.read_text() == text


def test_the_commands_of_the_pages_are_scripts_that_are_here():
    listed = write("--list").stdout.splitlines()
    assert len(listed) > 10
    for line in listed:
        assert (ROOT / line.split()[1]).is_file(), line

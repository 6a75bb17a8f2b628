"""Makes the tables of the documentation again: `make bench`.

A page of `docs/` holds, between two comments, what a command printed, and when and where:

    <!-- made by: benchmarks/features.py --pairs 10 -->
    …
    <!-- end -->

Each such command is run, and it and what it prints take the old text's place. Where it fails, the text stays.

    python benchmarks/write.py                   # all pages: hours, on a machine that does nothing else
    python benchmarks/write.py features driver   # those whose command has one of these words
    python benchmarks/write.py --list
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "docs" / name for name in ("benchmarks.md", "search.md", "answer.md", "preflight.md")]
BLOCK = re.compile(r"(<!-- made by: (?P<command>[^\n]+?) -->\n)(?P<text>.*?)(<!-- end -->)", re.DOTALL)


def commands_in(page: str, words: Sequence[str]) -> list[str]:
    """The commands of a page; with words those that have one of them."""
    found = [match["command"] for match in BLOCK.finditer(page)]
    return [one for one in found if not words or any(word in one for word in words)]


def replaced(page: str, command: str, text: str) -> str:
    """The page with another text where `command` made one."""
    return BLOCK.sub(
        lambda match: match[1] + text + match[4] if match["command"] == command else match[0], page
    )


def machine() -> str:
    """Where the figures are from, and when."""
    name = platform.processor() or platform.machine()
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    for line in lines:
        if line.startswith("model name"):
            name = line.partition(":")[2].strip()
            break
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores of a shared {name}, torch {version('torch')}, {datetime.now(UTC):%Y-%m-%d}"


def printed(command: str) -> str | None:
    """What a command prints, or none if it fails; what it says beside that is passed on."""
    done = subprocess.run(
        [sys.executable, *shlex.split(command)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        print(f"{command} failed: its text stays as it is", file=sys.stderr)
        return None
    return done.stdout.strip("\n")


def main() -> None:
    """Run what is asked for, and write the page after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", help="of the commands that are run; all if none is given")
    parser.add_argument("--list", action="store_true", help="say which they are, and run nothing")
    parser.add_argument("--pages", nargs="+", type=Path, default=PAGES)
    given = parser.parse_args()
    found = [
        (page, command) for page in given.pages for command in commands_in(page.read_text(), given.words)
    ]
    if not found:
        sys.exit(f"a command of these pages must have one of the words, but got {' '.join(given.words)}")
    failed = 0
    for page, command in found:
        print(f"python {command}", flush=True)
        if given.list:
            continue
        text = printed(command)
        failed += text is None
        if text is not None:  # read anew: somebody may have edited it meanwhile
            text = f"```\npython {command}\n```\n\n{text}\n\n({machine()})\n"
            page.write_text(replaced(page.read_text(), command, text))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

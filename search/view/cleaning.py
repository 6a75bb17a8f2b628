"""What could go, on the terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from rich.console import Console
from rich.filesize import decimal

from search.cleaning import Removable

SHOWN = 20
"""Lines; what is alike is one."""


def total(parts: Sequence[Removable]) -> str:
    """How much they are together."""
    return decimal(sum(part.bytes for part in parts))


def print_removable(parts: Sequence[Removable], console: Console) -> None:
    """A line for what is alike, the largest first: how much it is, what, and where."""
    groups: dict[tuple[str, str], list[Removable]] = defaultdict(list)
    for part in parts:
        groups[part.what, part.address.rpartition("/")[0]].append(part)
    ordered = sorted(groups.items(), key=lambda group: -sum(part.bytes for part in group[1]))
    for (what, folder), found in ordered[:SHOWN]:
        place = found[0].address if len(found) == 1 else f"{len(found)} in {folder}"
        console.print(f"{total(found):>10}  {what}: {place}", markup=False, soft_wrap=True)
    if len(ordered) > SHOWN:
        rest = [part for _, found in ordered[SHOWN:] for part in found]
        console.print(
            f"{total(rest):>10}  {len(ordered) - SHOWN} more such lines", markup=False, soft_wrap=True
        )

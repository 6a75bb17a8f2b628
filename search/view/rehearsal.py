"""A rehearsal on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from search.rehearsal import SHARES, Rehearsal, Rehearsed
from search.view import words


def render_rehearsal(rehearsal: Rehearsal, console: Console) -> None:
    """Two tables, what the figures mean, and what follows from them."""
    names = ", ".join(rehearsal.tables)
    kept = f" for the search; the confirmation keeps {rehearsal.kept:.1f}" if rehearsal.kept else ""
    console.print(
        f"Rehearsed on the curves of {names}: {words.count(rehearsal.seeds, 'seed')} each, "
        f"{rehearsal.trainings:.1f} full trainings' worth of epochs{kept}.\n"
        "Regret after 25, 50 and 100 % of them: 1 is a recipe drawn at random (the median one), 0 the best known.",
        markup=False, soft_wrap=True,
    )  # fmt: skip
    table = _table("searcher + scheduler")
    ranked = sorted([rehearsal.own, *rehearsal.others], key=lambda one: float(one.means[-1]))
    for one in ranked:
        name = f"{one.setting.searcher} + {one.setting.scheduler}"
        _row(table, f"{name}  (this study)" if one is rehearsal.own else name, one)
    console.print(table)
    more = _table("this study with")
    for one in rehearsal.more:
        setting = one.setting
        name = (
            f"{setting.budget:g} x the epochs" if setting.budget > 1 else f"{setting.workers:g} x the workers"
        )
        _row(more, name, one)
    console.print(more)
    console.print(sentence(rehearsal), markup=False, soft_wrap=True)


def sentence(rehearsal: Rehearsal) -> str:
    """What follows."""
    better, own = rehearsal.better, rehearsal.own.setting
    if better is None:
        return (
            f"Nothing rehearsed here is better than {own.searcher} + {own.scheduler} "
            f"by more than chance ({words.count(rehearsal.seeds, 'seed')})."
        )
    changes = [
        f"--set {key}={new}"
        for key, new, old in (
            ("searcher", better.setting.searcher, own.searcher),
            ("scheduler", better.setting.scheduler, own.scheduler),
        )
        if new != old
    ]
    return (
        f"Expect more of {better.setting.searcher} + {better.setting.scheduler}: regret {better.means[-1]:.2f} "
        f"instead of {rehearsal.own.means[-1]:.2f} ({' '.join(changes)})."
    )


def _table(title: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(title)
    for share in SHARES:
        table.add_column(f"{share:.0%}", justify="right")
    for name in ("±", "trials", "time"):
        table.add_column(name, justify="right")
    return table


def _row(table: Table, name: str, one: Rehearsed) -> None:
    table.add_row(
        name,
        *(f"{mean:.2f}" for mean in one.means),
        f"{one.error:.2f}",
        f"{one.trials:.0f}",
        f"{one.clock:.2f} x",
    )

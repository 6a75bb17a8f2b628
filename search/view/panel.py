"""The panel of a terminal: how a study stands, drawn. Reads a `Progress` and changes nothing."""

from __future__ import annotations

from rich.box import ROUNDED
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from search.view import words
from search.view.progress import COMPARE, CONFIRM, ENDED, PERTURB, SEARCH, Entry, Progress

STYLES = {"COMPLETE": "green", "PRUNED": "yellow", "FAIL": "red", "running": "cyan"}
NARROW = 60
"""Columns below which strategy and learning rate are left out."""
AROUND = 12
"""Lines of a terminal that the table of running trials must leave to the rest of the panel."""
MOST_ROWS = 10
WIDEST = 120
MARGIN = 4
"""Columns left free at the right: the ``^C`` that a terminal echoes must not begin a line of its own."""
SHORTEST_BAR, LONGEST_BAR = 8, 40


def draw(progress: Progress, now: float, width: int, height: int) -> Panel:
    """The panel for a terminal of `width` columns and `height` lines."""
    width = min(width - MARGIN, WIDEST)
    parts: list[RenderableType] = []
    if progress.busy:
        parts.append(_busy(progress, width))
    if progress.spec is not None:
        parts += [_bar(progress, now, width), _states(progress)]
        parts += [_means(progress)] if progress.phase == COMPARE else [_best(progress), _epochs(progress)]
        running = progress.running()
        if running:
            rows = max(1, min(MOST_ROWS, height - AROUND))
            parts += [Text(), _table(running[:rows], progress, width)]
            if len(running) > rows:
                parts.append(_line(f"and {len(running) - rows} more running", "dim"))
    return Panel(Group(*parts), title=_title(progress), title_align="left", box=ROUNDED, width=width)


def _line(text: str = "", style: str = "") -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _title(progress: Progress) -> Text:
    spec = progress.spec
    if spec is None:
        return _line("finetune-search", "bold")
    title = _line()
    title.append(f"{'comparison' if progress.compared else 'study'} {spec.name}", "bold")
    title.append(f" · data {spec.data} · model {spec.model}")
    return title


def _busy(progress: Progress, width: int) -> Text:
    if progress.share is None:
        return _line(f"{progress.busy} …", "italic")
    done, total = progress.share
    text = f"{progress.busy}: {100 * done // total} %  "
    room = min(width - len(text) - 4, LONGEST_BAR)  # the panel's border and margins
    return _line(text, "italic").append_text(_drawn(done / max(total, 1), room))


def _drawn(share: float, room: int) -> Text:
    """Drawn by hand: rich's own bar has no background without colour."""
    line = _line()
    if room >= SHORTEST_BAR:
        filled = int(room * share)
        line.append("━" * filled, "green")
        line.append("─" * (room - filled), "dim")
    return line


def _bar(progress: Progress, now: float, width: int) -> Text:
    standing, share = progress.standing(progress.phase, now)
    gone = now - progress.started if progress.started is not None else 0.0
    left = progress.seconds_left(now)
    figures = f"{standing}  {words.clock(gone)} gone"
    if left is not None:
        figures += f", ~{words.clock(left)} left"
    line = _line()
    room = width - len(figures) - 6  # the panel's border and margins, and two blanks
    if room >= SHORTEST_BAR:
        line.append_text(_drawn(share, room)).append("  ")
    return line.append(figures)


def _states(progress: Progress) -> Text:
    """Counted for the phase that runs; once that is another than the search, the search's on the same line."""
    line = _line()
    counts = progress.counts(progress.phase)
    running = len(progress.running(progress.phase))
    for state in ENDED:
        amount = counts.get(state, 0)
        if amount or progress.phase == SEARCH:
            line.append(f"{state} {amount}  ", STYLES[state] if amount else "dim")
    line.append(f"running {running}", STYLES["running"] if running else "dim")
    if paused := progress.paused():
        line.append(f"  paused {paused}", "dim")
    beside = progress.running(CONFIRM)
    if progress.phase == SEARCH and beside:
        line.append(f"  and {words.count(len(beside), 'training')} of the baseline", "dim")
    if progress.phase not in {SEARCH, COMPARE}:
        line.append(f"  (search: {words.states(progress.counts(SEARCH)) or 'no trials'})", "dim")
    return line


def _best(progress: Progress) -> Text:
    best = progress.best()
    if best is None:
        return _line("best so far: none yet", "dim")
    line = _line("best so far ")
    line.append(words.score(best.best), "bold")
    line.append(f"  trial {best.number}" + ("" if best.state == "COMPLETE" else f" ({best.state})"))
    line.append(f"  {words.recipe(best.params)}", "dim")
    return line


def _means(progress: Progress) -> Text:
    """Of each recipe so far; which is better nobody can say before the intervals are known."""
    line = _line("mean score so far")
    for label, mean, seeds in progress.means():
        line.append(f"  {label} ")
        line.append(words.score(mean), "bold")
        line.append(f" ({words.count(seeds, 'seed')})", "dim")
    return line


def _epochs(progress: Progress) -> Text:
    line = _line(
        f"{words.count(progress.epochs(SEARCH), 'epoch')} trained, {progress.saved()} saved by pruning"
    )
    confirming = progress.epochs(CONFIRM)
    if confirming:
        line.append(f", {confirming} for the confirmation")
    if changed := progress.epochs(PERTURB):
        line.append(f", {changed} for changes to the winner")
    return line


def _table(entries: list[Entry], progress: Progress, width: int) -> Table:
    """Running trials, one row each; a row that is too long is cut, never wrapped."""
    wide = width >= NARROW
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("trial", no_wrap=True, justify="right")
    if wide:
        table.add_column("strategy", no_wrap=True, overflow="ellipsis", max_width=24)
        table.add_column("lr", no_wrap=True, justify="right")
    table.add_column("epoch", no_wrap=True, justify="right")
    table.add_column("score", no_wrap=True, justify="right")
    table.add_column("best", no_wrap=True, justify="right")
    for entry in entries:
        strategy = str(entry.params.get("strategy", words.NONE))
        recipe = (Text(strategy), words.learning_rate(entry.params)) if wide else ()
        epochs = f"{entry.epochs}/{progress.budget_of(entry)}"
        table.add_row(
            Text(_name(entry, progress)), *recipe, epochs, words.score(entry.last), words.score(entry.best)
        )
    return table


def _name(entry: Entry, progress: Progress) -> str:
    """``12`` of the search; ``baseline`` or ``12 again`` of the confirmation; what is changed; ``A, seed 7``."""
    if not entry.label:
        return str(entry.number)
    if entry.label in progress.compared:
        return f"{entry.label}, seed {entry.seed}"
    return f"{entry.label.removeprefix('trial ')} again" if entry.label.startswith("trial ") else entry.label

"""What a search's trials say, in a terminal: a table of what mattered, and sentences."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from search.insight.effects import Effect
from search.insight.insight import Insight
from search.view import words

WIDE = 100
"""Columns of a console from which PED-ANOVA's column is shown too."""
MOST_NAMED = 8
"""Parameters of no told effect that are named."""


def render_insight(insight: Insight, console: Console) -> None:
    """Print it; nothing where there are too few trials to say anything."""
    if not insight.effects:
        return
    console.print()
    console.print(Text("What mattered", style="bold"))
    if insight.told:
        console.print(_table(insight.told, console.width >= WIDE))
    for sentence in [*mattered(insight), *stopping(insight)]:
        console.print(Text(sentence), soft_wrap=False)


def _table(effects: list[Effect], wide: bool) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("parameter", overflow="fold")
    for heading in ("share", *(("PED-ANOVA",) if wide else ()), "best", "worst", "from worst to best"):
        table.add_column(heading, justify="right", no_wrap=True)
    for effect in effects:
        density = words.NONE if effect.density is None else f"{effect.density:.0%}"
        table.add_row(
            Text(effect.name),
            f"{effect.share:.0%}",
            *((density,) if wide else ()),
            words.number(effect.best),
            words.number(effect.worst),
            f"{words.score(effect.gain)} ± {words.score(effect.margin)}",
        )
    return table


def mattered(insight: Insight) -> list[str]:
    """Which parameters do, and which are not told from chance, in sentences."""
    if not insight.effects:
        return ["Too few trials say anything about parameters."]
    said = []
    if insight.told:
        said.append(
            "`share` is of the variance of scores over the whole space (fANOVA, by a model of all trials, pruned ones "
            "too); best, worst and the difference are means over all else that the space allows."
        )
        nested = [effect.name for effect in insight.told if effect.branches]
        if nested:
            said.append(
                f"{words.listed(nested)}: among the recipes that have it; others do not count, so the share is small "
                "where its branch is one of many."
            )
    else:
        said.append("No parameter's effect is told from chance by these trials.")
        nearest = min(insight.effects, key=lambda effect: effect.chance)
        said.append(
            f"Nearest to it comes {nearest.name}: {nearest.share:.0%} of the variance, as chance alone gives in "
            f"{nearest.chance:.1%} of studies."
        )
    left = [effect.name for effect in insight.untold]
    if left:
        named = words.listed(left[:MOST_NAMED]) if len(left) <= MOST_NAMED else _and_more(left)
        said.append(f"Not told from chance, being small or tried too little: {named}.")
    pairs = [pair for pair in insight.interactions if pair.share >= 0.05]
    if pairs:
        named = words.listed([f"{' with '.join(pair.names)} ({pair.share:.0%})" for pair in pairs])
        said.append(f"What counts only together: {named}.")
    return said


def _and_more(names: list[str]) -> str:
    return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more"


def stopping(insight: Insight) -> list[str]:
    """Whether stopping early was safe, in sentences."""
    if not insight.stopped or not insight.agreements:
        return []
    first = insight.agreements[0]
    said = f"After epoch {first.epoch} the best trial was number {first.place} of {first.there}"
    if first.modelled is not None:
        said += f"; over the whole space scores there and at the end correlate by {first.modelled:.2f}"
    sentences = [f"{said}."]
    if insight.regret is not None:
        count = words.count(len(insight.stopped), "trial")
        sentences.append(
            f"Of {count} stopped early, {insight.regret:.1f} would have been the best, as far as can be expected."
        )
    return sentences

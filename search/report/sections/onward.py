"""How to go on: commands, each with what it is for; and what the page's words mean."""

from __future__ import annotations

from search.report.markup import Markup, element, joined
from search.report.report import Report
from search.report.sections.parts import command, section
from search.view.answer import next_commands

WORDS = {
    "recipe": "a value for everything that may vary: learning rate, batch size, strategy, …",
    "trial": "a recipe that was trained, with the seed it was trained with",
    "score": "the best validation score over the epochs that a trial was trained for",
    "COMPLETE, PRUNED, FAIL": "trained to the end; stopped early, as others promised more; broke off, with a reason",
    "baseline": "the ordinary recipe: what one would take without a search",
    "finalists": "the best trials, trained again with new seeds, because the best of many was also lucky",
    "interval": "where another set of seeds and of test images would leave the figure, 19 times of 20",
}


def onward(report: Report) -> Markup:
    """Two sections."""
    name = f"{report.result.name}{report.elsewhere}"
    commands: list[tuple[str, str]] = []
    if report.winner is not None:
        commands = [
            (f"finetune-search best {name} > recipe.yaml", "the winning recipe as a file"),
            ("finetune-search train recipe.yaml", "train it once more"),
        ]
    taken = ("best", "report")
    further = next_commands(report.result, report.spec, report.elsewhere)
    commands += [one for one in further if one[0].split()[1] not in taken]
    listed = (element("div", element("dt", what), element("dd", command(typed))) for typed, what in commands)
    meant = (element("div", element("dt", word), element("dd", what)) for word, what in WORDS.items())
    return joined(
        [
            section("onward", "How to go on", element("dl", *listed, class_="commands")),
            section("words", "Words on this page", element("dl", *meant, class_="recipes")),
        ]
    )

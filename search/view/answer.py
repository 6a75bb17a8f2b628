"""The end of a study in a terminal: its leaderboard, its answer in sentences, and what to type next."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from statistics import fmean

from rich.console import Console

from search.account import Account
from search.addresses import without_secret
from search.answer.answer import Answer, Confirmed
from search.answer.estimate import MOST_SEEDS, Estimate
from search.result import StudyResult, TrialSummary
from search.spec import OWN_CORE, StudySpec
from search.store.layout import Store
from search.view import words
from search.view.leaderboard import print_leaderboard, winner_of
from search.view.say import say


def render_answer(result: StudyResult, spec: StudySpec, store: Store, console: Console) -> None:
    """Print the end of a run.

    Args:
        result: The study as it stands.
        spec: The study.
        store: Where it is kept.
        console: Where to; a table is made to fit its width.
    """
    console.print()
    if result.trials:
        print_leaderboard(result, console)
    say(console, counts(result, spec))
    if result.account is not None:
        say(console, account_sentence(result.account))
    console.print()
    winner = winner_of(result)
    if winner is not None:
        say(console, f"Winner: trial {winner.number}", style="bold")
        say(console, words.recipe(winner.params))
        console.print()
    for sentence in sentences(result, spec):
        say(console, sentence)
    if result.outcome is not None:
        outcome = result.outcome
        console.print()
        say(console, f"Hypothesis: {words.one_line(outcome.text, 400)}")
        say(console, f"{outcome.verdict}: {words.one_line(outcome.evidence, 600)}")
    console.print()
    _print_places(result, spec, store, winner, console)


def counts(result: StudyResult, spec: StudySpec) -> str:
    """How many trials there are in which state, and how many epochs they trained, in a sentence."""
    if not result.trials:
        return "No trial has begun."
    states = Counter(trial.state for trial in result.trials)
    budget = result.epochs or spec.budget
    saved = sum(max(budget - trial.epochs, 0) for trial in result.trials if trial.state == "PRUNED")
    trained = sum(trial.epochs for trial in result.trials)
    return (
        f"{words.count(len(result.trials), 'trial')}: {words.states(states)}; "
        f"{words.count(trained, 'epoch')} trained, {saved} saved by pruning."
    )


def account_sentence(account: Account) -> str:
    """Where the time of the workers went, largest part first; what is less than a hundredth is left out."""
    parts = sorted(account.seconds, key=lambda kind: -account.seconds[kind])
    told = [f"{kind} {account.share(kind):.0%}" for kind in parts if account.share(kind) >= 0.01]
    said = f"The workers' time, {words.clock(account.total)} in all: {', '.join(told)}. "
    said += f"Pruning saved about {words.clock(account.saved)}"
    return said + (f"; the winner took {words.clock(account.winner)}." if account.winner else ".")


# -- the answer -----------------------------------------------------------------------------------------


def sentences(result: StudyResult, spec: StudySpec) -> list[str]:
    """What the study found, or why there is no answer, in plain sentences."""
    answer = result.answer
    if answer is not None:
        return _answered(answer, result)
    if winner_of(result) is None:
        failed = next((trial for trial in result.trials if trial.state == "FAIL"), None)
        reason = f" The first failure: {words.one_line(failed.reason)}" if failed is not None else ""
        return [f"There is no answer: no trial is COMPLETE.{reason}"]
    why = (
        "the study has none (finalists: 0)"
        if not spec.finalists
        else "its confirmation is not over, or too many of its trainings failed"
    )
    return [
        f"There is no confirmed answer: {why}. A search's best score is too hopeful, being the best of many; "
        "only new seeds and the test split tell what the recipe is worth."
    ]


def _answered(answer: Answer, result: StudyResult) -> list[str]:
    tested = bool(answer.winner.test)
    what = "test accuracy" if tested else "best validation score"
    sentences = [f"The winner's mean {what} is {_spread(answer.winner, tested)}."]
    if not tested and not answer.openings:
        sentences.append(
            "The test split was not opened; the recipe was chosen on these validation images, so the scores still "
            "flatter it."
        )
    elif not tested:
        sentences.append("The test split was opened before, but not for these trainings.")
    sentences += _against_baseline(answer, tested)
    sentences.append(_optimism(answer, result))
    if answer.left:
        left = words.count(answer.left, "training")
        sentences.append(f"The confirmation is not over ({left} to go): the command that began it goes on.")
    if len(answer.openings) > 1:
        sentences.append(
            f"The test split was opened {len(answer.openings)} times ({', '.join(answer.openings)}), for "
            "another winner or more seeds: each further look makes figure and interval a little too hopeful."
        )
    return sentences


def _against_baseline(answer: Answer, tested: bool) -> list[str]:
    if answer.winner.label == "baseline":
        return ["The winner is the baseline itself: the search found nothing that is better on new seeds."]
    compared = answer.difference
    if answer.baseline is None or compared is None:
        return ["There is nothing to compare it with: no training of the baseline is COMPLETE."]
    baseline = f"The baseline's, trained the same way, is {_spread(answer.baseline, tested)}."
    difference = points(compared.value, tested)
    if compared.margin is None:
        return [
            baseline,
            f"The difference is {difference} (paired by seed, n = 1). With a single seed this is too close to tell: "
            "nothing says how much of it is chance.",
        ]
    margin = points(compared.margin, tested, signed=False)
    how = f"paired by {_seed_and_image(compared)}, n = {compared.seeds}"
    verdict = {
        "above": "The winner is above the baseline.",
        "below": "The winner is below the baseline: take the baseline.",
        "too close to tell": "That is too close to tell: the interval contains zero. "
        f"{_what_would_tell(compared)}",
    }[compared.verdict]
    return [baseline, f"The difference is {difference} ± {margin} (95 % interval, {how}). {verdict}"]


def _what_would_tell(compared: Estimate) -> str:
    if compared.value == 0 or not (compared.by_seeds or compared.by_images):
        return "No difference was seen at all."
    if compared.seeds_that_tell is not None:
        more = 2 * (compared.seeds_that_tell - compared.seeds)
        return (
            f"If difference and spread stay as they are, {compared.seeds_that_tell} seeds would tell, {more} trainings "
            "more."
        )
    if compared.images_that_tell is not None:
        return (
            f"No number of seeds would tell: with so small a difference the test split's {compared.images} images "
            f"are too few; it takes more than {compared.images_that_tell}."
        )
    return f"Even {MOST_SEEDS} seeds would not tell."


def _optimism(answer: Answer, result: StudyResult) -> str:
    mean = fmean(answer.winner.val)
    best = words.score(mean + answer.optimism)
    found = (
        f"The search's best score was {best}; on new seeds its winner reaches {words.score(mean)} on average"
    )
    if answer.optimism > 0:
        return f"{found}, so the search was {words.score(answer.optimism)} too hopeful."
    return f"{found}, so the search was not too hopeful."


def _spread(confirmed: Confirmed, tested: bool) -> str:
    """Mean ± margin, what it is over, and the range; accuracies in percent."""
    write = words.percent if tested else words.score
    values, found = confirmed.values, confirmed.estimate
    if found is None or found.margin is None:
        return f"{write(values[0])} (one seed, so its spread is unknown)"
    over = words.count(found.seeds, "seed") + (f" and {found.images} test images" if found.images else "")
    margin = f"{write(found.value)} ± {write(found.margin)}"
    return f"{margin} (95 % interval over {over}; seeds from {write(min(values))} to {write(max(values))})"


def _seed_and_image(compared: Estimate) -> str:
    return "seed and image" if compared.images else "seed"


def points(value: float, tested: bool, *, signed: bool = True) -> str:
    """A difference of accuracies in points, of other scores as it is."""
    sign = "+" if signed else ""
    return f"{100 * value:{sign}.2f} points" if tested else f"{value:{sign}.4f}"


# -- where things are -----------------------------------------------------------------------------------


def _print_places(
    result: StudyResult, spec: StudySpec, store: Store, winner: TrialSummary | None, console: Console
) -> None:
    elsewhere = f" --store {short(store.root)}" if store.root != Store.default().root else ""
    places = {
        "store": short(store.root),
        "ledger": short(store.optuna_db) if store.optuna is None else without_secret(store.optuna),
        "MLflow": short(store.mlflow_db) if store.mlflow is None else without_secret(store.mlflow),
    }
    if winner is not None and winner.checkpoint is not None:
        at = winner.checkpoint
        places["checkpoint"] = without_secret(at) if "://" in at else short(Path(at))
    for name, place in places.items():
        say(console, f"{name:<11} {place}", copied=True)
    console.print()
    commands = next_commands(result, spec, elsewhere)
    say(console, "Next:", style="bold")
    longest = max(len(command) for command, _ in commands)
    for command, what in commands:
        say(console, f"  {command:<{longest}}  # {what}", copied=True)


def next_commands(result: StudyResult, spec: StudySpec, elsewhere: str) -> list[tuple[str, str]]:
    """What may be typed next, each with what it is for.

    Args:
        result: The study as it stands.
        spec: The study.
        elsewhere: The option that names its store, where that is another than the working folder's.
    """
    make = " (or make ui)" if not elsewhere else ""
    commands = [(f"finetune-search ui{elsewhere}", f"all runs in MLflow{make}")]
    if winner_of(result) is not None:
        commands.insert(0, (f"finetune-search best {result.name}{elsewhere}", "the winning recipe"))
    if len(result.trials) > 1:
        name = f"{result.name}{elsewhere}"
        commands.append((f"finetune-search show {name}", "what mattered, and what to look at"))
        commands.append((f"finetune-search report {name}", "all of it as a page to keep or send"))
        if spec.trainable == OWN_CORE and winner_of(result) is not None:
            commands.append((f"finetune-search inspect {name}", "the winner's mistakes, and spoilt images"))
    seeds = _seeds_that_tell(result.answer)
    if seeds is not None and seeds > spec.finalist_seeds:
        command = f"finetune-search confirm {result.name} --seeds {seeds}{elsewhere}"
        commands.append((command, "tell the winner from the baseline"))
    return commands


def _seeds_that_tell(answer: Answer | None) -> int | None:
    """How many would, where the difference is too close to tell."""
    difference = answer.difference if answer is not None else None
    if difference is None or difference.verdict != "too close to tell":
        return None
    return difference.seeds_that_tell


def short(path: Path) -> str:
    """A path from the working directory where it lies below it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative

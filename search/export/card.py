"""The model card: what a network is for, where it comes from, what it is worth, and what nobody knows of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from search.export.snippet import snippet
from search.export.text import markdown, name_of
from search.result import StudyResult
from search.spec import StudySpec
from search.view import words
from search.view.answer import sentences
from search.winner import Winner
from trainables.exported import Description
from trainables.exported.onnx import ONNX
from trainables.soundness.figures import Figures

LISTED = 100
"""Classes that are named in the card; `model.json` has all."""


@dataclass(frozen=True)
class Judged:
    """How sure the network is, and whether it may be, on the images that its temperature was fitted on.

    Args:
        before: With the outputs as they are.
        after: With the temperature; none where nothing could be fitted.
    """

    before: Figures
    after: Figures | None


def model_card(
    spec: StudySpec,
    result: StudyResult,
    winner: Winner,
    description: Description,
    judged: Judged,
    *,
    onnx: bool = False,
) -> str:
    """The card as Markdown.

    Args:
        spec: The study.
        result: What it found.
        winner: Its network.
        description: Of the network.
        judged: Its probabilities.
        onnx: Whether there is an ONNX file.
    """
    parts = [
        _head(spec, description),
        _use(description, onnx=onnx),
        _classes(description),
        _data(spec, winner),
        _found(spec, result, winner, description),
        _worth(spec, result, winner),
        _calibration(winner, description, judged),
        _again(result, winner),
        _caveats(spec, winner),
    ]
    return "\n\n".join(parts) + "\n"


def _head(spec: StudySpec, description: Description) -> str:
    shown = description.input
    colours = {1: "grey", 3: "colour"}.get(shown.channels, f"{shown.channels} channels")
    return (
        f"# {spec.name}\n\n"
        f"An image classifier: for each picture it gives the probabilities of "
        f"{description.classes} classes, for pictures like those it was "
        f"trained on ({markdown(name_of(spec.data))}). Architecture `{description.architecture}`, input "
        f"{shown.size} × {shown.size} pixels, {colours}. Made by finetune-search {description.source.version}."
    )


def _use(description: Description, *, onnx: bool) -> str:
    trust = " --trust" if description.runs_code else ""
    argument = ", trust=True" if trust else ""
    said = [
        "## Use",
        f"In this folder, with finetune-search:\n\n```\nfinetune-search predict . image.jpg{trust}\n```",
        "From Python:\n\n```python\nfrom trainables.exported import Exported\n\n"
        f'for one in Exported.load("."{argument}).predict(["image.jpg"]):\n'
        "    print(one.name, one.best(3), one.reason)\n```",
    ]
    if trust:
        said.append(
            f"The network is built by code that is not in this folder, `{description.architecture}`: it must be "
            "importable, and it is run."
        )
    lines = snippet(description)
    if lines is not None:
        of = "the network's own code" if description.runs_code else "timm"
        said.append(
            f"Without finetune-search, with {of}, torch, safetensors and Pillow (for ordinary pictures; of one of 16 "
            f"bits, and of what is transparent, it makes something else):\n\n```python\n{lines}\n```"
        )
    if onnx:
        size, channels = description.input.size, description.input.channels
        said.append(
            f"`{ONNX}` takes `images` [N, {channels}, {size}, {size}] in [0, 1], decoded and cut as above, and gives "
            f"calibrated `probabilities` [N, {description.classes}]."
        )
    return "\n\n".join(said)


def _classes(description: Description) -> str:
    named = ", ".join(markdown(label) for label in description.labels[:LISTED])
    more = description.classes - LISTED
    rest = f", and {more} more in `model.json`" if more > 0 else ""
    return f"## Classes\n\nIn the order of the outputs: {named}{rest}."


def _data(spec: StudySpec, winner: Winner) -> str:
    data, dataset = winner.material, winner.dataset
    train, val = data.folds[winner.fold] if data.folds else (data.train, data.val)
    said = (
        f"{markdown(name_of(spec.data))}: {words.count(len(train), 'image')} to learn from, {len(val)} to choose by "
        f"({winner.judged_by}), {len(dataset.test)} to test on; split with seed {spec.split_seed}. Fingerprint of "
        f"images, labels and splits: `{dataset.fingerprint()}`."
    )
    remarks = [f"- {markdown(remark)}" for remark in dataset.remarks]
    return "\n".join(["## Data", "", said, *([""] if remarks else []), *remarks])


def _found(spec: StudySpec, result: StudyResult, winner: Winner, description: Description) -> str:
    counts = words.states(Counter(trial.state for trial in result.trials))
    origin = (
        "the model's own pretrained weights"
        if spec.pretrained is True
        else f"{markdown(name_of(str(spec.pretrained)))}"
    )
    if spec.pretrained is False or winner.trial.params.get("strategy") == "scratch":
        origin = "random weights"
    whose = (
        "The weights are that trial's own"
        if winner.own
        else "The weights are those of the best of the trainings that confirmed that trial, whose own are gone"
    )
    of = f" of fold {winner.fold + 1}" if winner.folds else ""
    folds = (
        f" A trial is a training on each of {winner.folds} parts of the data. This is the network of one of them, the "
        "one with the best score; the others are not in this folder."
        if winner.folds
        else ""
    )
    return (
        f"## How it was found\n\nStudy `{spec.name}` tried {words.count(len(result.trials), 'recipe')} ({counts}) for "
        f"model `{description.model}`, started from {origin}. The winner is trial {winner.trial.number}: "
        f"{markdown(words.recipe(winner.trial.params))}. {whose}, after epoch {winner.epoch} of {spec.epochs}{of}, the "
        f"best on {winner.judged_by}.{folds} All of the recipe is in `recipe.yaml`."
    )


def _worth(spec: StudySpec, result: StudyResult, winner: Winner) -> str:
    right = int((winner.logits.argmax(1) == winner.labels).sum())
    count = len(winner.labels)
    itself = (
        f"This network itself is right on {right} of the {count} images of {winner.judged_by} "
        f"({words.percent(right / count)}, computed in fp32), which chose it and so flatter it."
    )
    if result.answer is not None and winner.own:
        itself += (
            " The figures above are of its recipe, trained anew with other seeds; this very network has not seen the "
            "test split."
        )
    return "\n\n".join(["## What it is worth", "\n".join(map(markdown, sentences(result, spec))), itself])


def _calibration(winner: Winner, description: Description, judged: Judged) -> str:
    head = "## Calibration"
    told = {"": judged.before, f", temperature {description.temperature:.3g}": judged.after}
    rows = [
        f"| {'before' if not name else 'after'}{name} | {one.nll:.4f} | {one.brier:.4f} | {one.reliability.ece:.4f} |"
        for name, one in told.items()
        if one is not None
    ]
    table = "\n".join(
        ["| | negative log-likelihood | Brier score | calibration error |", "|---|---|---|---|", *rows]
    )
    if judged.after is None:
        said = (
            f"No temperature was fitted: on {winner.judged_by} the labels only grow likelier without end, as where "
            "every image is right, so that these images do not tell how sure the network may be. Probabilities are as "
            "it gives them."
        )
    else:
        said = (
            f"Outputs are divided by a temperature that was fitted on the {len(winner.labels)} images of "
            f"{winner.judged_by}, by their negative log-likelihood. The figures are of the same images, so those after "
            "it are a little hopeful. It changes how sure the network is, never which class it names."
        )
    return f"{head}\n\n{said}\n\n{table}"


def _again(result: StudyResult, winner: Winner) -> str:
    score = words.score(winner.trial.score)
    said = (
        "## Train it again\n\n```\nfinetune-search train recipe.yaml --out weights.safetensors\n```\n\n"
        f"With the recipe's own seed, on the same data and kind of device, this reaches the winner's validation score "
        f"again, {score}."
    )
    answer = result.answer
    if answer is None or not answer.winner.values:
        return f"{said} How far other seeds (`--seed`) lie from it was not measured."
    values, tested = answer.winner.values, bool(answer.winner.test)
    write = words.percent if tested else words.score
    what = "test accuracy" if tested else "best validation score"
    return (
        f"{said} Other seeds (`--seed`) give other networks: in its confirmation the recipe reached a {what} of "
        f"{words.listed([write(value) for value in values])}."
    )


def _caveats(spec: StudySpec, winner: Winner) -> str:
    points = [
        f"The recipe, its epoch and the temperature were chosen on {winner.judged_by}; scores on it are hopeful.",
        "It knows the pictures it was trained on. Of other cameras, places or times the figures say nothing: measure "
        "again on pictures of your own.",
        "Each picture gets one of the classes, also one that shows none of them.",
        "Whether its errors fall on some people or things more than on others was not looked at here.",
    ]
    if spec.pretrained is not False:
        points.append(
            "It began from pretrained weights. Under which licence they and their training images are is not known "
            "here; see where they come from before you pass this on."
        )
    points.append("The licence of the images that it was trained on is not known here either.")
    return "\n".join(["## Caveats", "", *(f"- {point}" for point in points)])

"""The folder of a winner: written whole, and loaded again before it gets its name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import BinaryIO

import torch

from search.errors import StudyError
from search.export.card import Judged, model_card
from search.overview import best_recipe
from search.study import Study
from search.winner import Winner, find_winner
from spaces import InputError
from trainables.exported import Description, Exported, Input, Source
from trainables.exported.folder import write_network
from trainables.exported.onnx import check_onnx, write_onnx
from trainables.soundness.calibration import COLDEST, HOTTEST, figures, fit_temperature
from trainables.whole import whole_folder, write_whole

CARD, RECIPE = "README.md", "recipe.yaml"
TRIED = 64
"""Validation images on which the written network is held against the study's."""


def export_best(
    study: Study,
    folder: Path,
    *,
    onnx: bool = False,
    progress: Callable[[int, int], None] | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Exported:
    """Write the winner of a study into a folder that needs neither study nor store nor network.

    Args:
        study: The study.
        folder: A new one, or an empty one; it is there whole, or as it was.
        onnx: Whether an ONNX file is written too.
        progress: Told how far the decoding of images has come.
        tell: Told in a few words what is being done.

    Returns:
        The network as it was written.

    Raises:
        InputError: There is something in the folder, it cannot be written, a package for ONNX is missing, or see
            `search.winner.find_winner`.
        StudyError: The network as it was written gives other numbers; or see there.
    """
    if onnx:
        check_onnx()
    if folder.is_dir() and folder.samefile(Path.cwd()):
        raise InputError(
            "--export must be a new or empty folder, but got the working folder itself; name one in it"
        )
    try:
        with whole_folder(folder) as aside:
            result = study.result()
            winner = find_winner(study, result, progress, tell)
            temperature = _temperature(winner)
            description = _description(study, winner, temperature or 1.0)
            write_network(aside, description, winner.network)
            exported = Exported.load(aside, trust=True)
            _hold_against(winner, exported)
            if onnx:
                tell("writing ONNX")
                write_onnx(Exported.load(aside, trust=True, device="cpu"), aside)
            judged = Judged(
                before=figures(winner.logits, winner.labels),
                after=figures(winner.logits.double() / temperature, winner.labels) if temperature else None,
            )
            card = model_card(study.spec, result, winner, description, judged, onnx=onnx)
            for name, text in {RECIPE: best_recipe(study), CARD: card}.items():
                write_whole(aside / name, partial(_put, text.encode("utf-8", "backslashreplace")))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"--export must be a new or empty folder that can be written, but {folder}: {reason}"
        ) from None
    return exported


def _put(data: bytes, file: BinaryIO) -> None:
    file.write(data)


def _temperature(winner: Winner) -> float | None:
    """Fitted on the validation images; none where these only say that surer is always better, or never."""
    fitted = fit_temperature(winner.logits, winner.labels)
    return fitted if COLDEST < fitted < HOTTEST else None


def _description(study: Study, winner: Winner, temperature: float) -> Description:
    backbone = winner.material.backbone
    try:
        ours = version("finetune-search")
    except PackageNotFoundError:  # run from a checkout that was not installed
        ours = "unknown"
    return Description(
        model=backbone.name,
        architecture=backbone.architecture,
        model_args=dict(backbone.arguments),
        classes=len(winner.dataset.classes),
        labels=winner.dataset.classes,
        input=Input.of(winner.dataset, winner.material, winner.fixed),
        temperature=temperature,
        source=Source(study=study.spec.name, trial=winner.trial.number, version=ours),
    )


def _hold_against(winner: Winner, exported: Exported) -> None:
    """See that the folder's network is the study's: what is not in its weights would be lost."""
    images = winner.images
    if images.pixels.shape[1] != images.pixels.shape[2]:
        return  # arrays that are not square: files are brought to the input in another way
    said = exported.logits(next(images.chunks(TRIED))).cpu()
    if not torch.allclose(said, winner.logits[: len(said)], rtol=1e-3, atol=1e-3):
        raise StudyError(
            f"the network {winner.material.backbone.name!r} must be all in its weights, but made anew with them it "
            "gives other outputs"
        )

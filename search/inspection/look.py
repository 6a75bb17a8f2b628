"""Looks at the winner's network: on validation images, so that the test split stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from search import register
from search.errors import StudyError
from search.inspection.inspection import Alike, Inspection, Miss
from search.inspection.pictures import small
from search.study import Study
from search.winner import Winner, find_winner
from spaces import InputError
from trainables.data.batches import Split
from trainables.data.dataset import Images
from trainables.precision import pick_device
from trainables.seeds import derive_seed
from trainables.soundness.corruptions.corruption import LEAST_IMAGE
from trainables.soundness.flatness import flatness
from trainables.soundness.judging import judge
from trainables.soundness.mistakes import mistakes, nearest
from trainables.soundness.robustness import robustness, stratified
from trainables.transfer.features import with_features

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trainables.soundness.figures import Flatness, Robustness

MISSES, ALIKE = 24, 3
"""Mistakes that are shown, and training images beside each."""

KNOWN = 10_000
"""Training images among which those are looked for, of each class its share."""

GROUND = 512
"""Training images of which the loss is taken for its flatness."""

BATCH = 64


def look_at(
    study: Study,
    *,
    images: int,
    flat: bool,
    progress: Callable[[int, int], None] | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Inspection:
    """Inspect the winner of a study.

    Args:
        study: The study.
        images: Validation images that are spoilt, at most, of each class its share; at least 1.
        flat: Whether the flatness of the loss is measured too.
        progress: Told how far what is being done has come.
        tell: Told in a few words what that is.

    Raises:
        InputError: `images` is below 1; or see `search.winner.find_winner`.
        StudyError: See there.
    """
    if images < 1:
        raise InputError(f"images must be 1 or more, but got {images}")
    winner = find_winner(study, study.result(), progress, tell)
    classes = winner.dataset.classes
    soundness = judge(winner.logits, winner.labels, winner.logits, winner.labels, classes)
    if soundness is None:
        raise StudyError(
            f"the network of trial {winner.trial.number} gives values that are not finite in fp32"
        )
    tell("looking for what its surest mistakes look like")
    misses, known = _misses(winner, study.spec.seed)
    tell("spoiling images")
    spoilt, unspoilt = _robustness(winner, images, study.spec.seed, progress)
    tell("measuring how flat the loss is")
    return Inspection(
        study=str(register.find_study(study.store, study.spec.name).user_attrs[register.UID]),
        trial=winner.trial.number,
        epoch=winner.epoch,
        judged_by=winner.judged_by,
        soundness=soundness,
        misses=misses,
        known=known,
        robustness=spoilt,
        unspoilt=unspoilt,
        flatness=_flatness(winner, study.spec.seed) if flat else None,
        made=f"{datetime.now():%Y-%m-%d %H:%M}",
    )


def _train_of(winner: Winner) -> tuple[Images, Images]:
    """Training images as the data set has them, and as the network sees them."""
    material = winner.material
    if not material.folds:
        return winner.dataset.train, material.train
    return winner.dataset.folds[winner.fold][0], material.fold(winner.fold).train


def _val_of(winner: Winner) -> Images:
    material = winner.material
    return material.fold(winner.fold).val if material.folds else material.val


# -- mistakes -------------------------------------------------------------------------------------------


def _misses(winner: Winner, seed: int) -> tuple[list[Miss], int]:
    """The surest mistakes, each with the training images that look like it; and among how many these were sought."""
    found = mistakes(winner.logits, winner.labels, MISSES)
    original, seen = _train_of(winner)
    rows = stratified(torch.as_tensor(seen.labels), KNOWN, derive_seed(seed, "inspect"))
    alike: list[list[tuple[int, float]]] = [[] for _ in found]
    known = 0
    device = pick_device("auto")
    wrong = torch.tensor([one.index for one in found])
    queries = _features(winner, Split(_val_of(winner), device), wrong) if found else None
    if queries is not None:
        ours = _features(winner, Split(seen, device), rows)
        assert ours is not None
        known = len(rows)
        near = nearest(queries, ours, min(ALIKE, known))
        alike = [
            list(zip(rows[places].tolist(), likeness, strict=True))
            for places, likeness in zip(near.rows.cpu(), near.similarity.tolist(), strict=True)
        ]
    named, trained = _names(winner, winner.images, "val"), _names(winner, original, "train")
    return [
        Miss(
            name=named[one.index],
            true=one.true,
            guessed=one.guessed,
            confidence=one.confidence,
            picture=small(_pixels(winner.images, one.index)),
            alike=[
                Alike(trained[row], int(original.labels[row]), likeness, small(_pixels(original, row)))
                for row, likeness in beside
            ],
        )
        for one, beside in zip(found, alike, strict=True)
    ], known


def _features(winner: Winner, split: Split, rows: Tensor) -> Tensor | None:
    """What the classifier is given for some images, [rows, D]; none where an architecture does not say what it is."""
    model, found = winner.network.eval(), []
    with torch.inference_mode():
        for chosen in rows.to(split.labels.device).split(BATCH):
            try:
                _, features = with_features(model, model, winner.material.normalise(split.take(chosen)[0]))
            except InputError:
                return None
            found.append(features.float())
    return torch.cat(found)


def _names(winner: Winner, images: Images, split: str) -> Sequence[str]:
    origin = winner.dataset.origin
    names = origin.names(images) if origin is not None else None
    return names if names is not None else [f"{split} {row}" for row in range(len(images))]


def _pixels(images: Images, row: int) -> NDArray[Any]:
    """What of a picture is seen, [H, W, C]."""
    pixels = images.pixels[row if images.rows is None else images.rows[row]]
    edge = (pixels.shape[0] - images.shown) // 2 if images.size is not None else 0
    seen: NDArray[Any] = pixels[edge : pixels.shape[0] - edge, edge : pixels.shape[1] - edge]
    return seen


# -- spoilt images, and the ground about the weights ----------------------------------------------------


def _robustness(
    winner: Winner, most: int, seed: int, progress: Callable[[int, int], None] | None
) -> tuple[Robustness | None, str]:
    """On images as the network sees them, or why they cannot be spoilt."""
    split = Split(_val_of(winner), pick_device("auto"))
    channels, height, width = split.pixels.shape[1:]
    if channels not in (1, 3):
        return None, f"images of {channels} channels are not what the corruptions are made for"
    if min(height, width) < LEAST_IMAGE:
        return None, f"images of {height} × {width} pixels are too small to be spoilt"
    rows = stratified(split.labels, most, derive_seed(seed, "spoilt")).to(split.labels.device)
    pictures = torch.cat([(split.take(part)[0] * 255).round().to(torch.uint8) for part in rows.split(BATCH)])
    model = winner.network.eval()

    def logits_of(images: Tensor) -> Tensor:
        logits: Tensor = model(winner.material.normalise(images))
        return logits

    return robustness(logits_of, pictures, split.labels[rows], seed, progress=progress), ""


def _flatness(winner: Winner, seed: int) -> Flatness:
    """Of the plain loss over images that the network learnt from, unaugmented, in evaluation mode."""
    split = Split(_train_of(winner)[1], pick_device("auto"))
    rows = stratified(split.labels, GROUND, derive_seed(seed, "ground")).to(split.labels.device)
    model: nn.Module = winner.network.eval()
    inputs = [
        (winner.material.normalise(images), labels) for images, labels in map(split.take, rows.split(BATCH))
    ]

    def loss_of() -> Tensor:
        return sum(
            (functional.cross_entropy(model(images), labels, reduction="sum") for images, labels in inputs),
            start=torch.zeros((), device=split.labels.device),
        ) / len(rows)

    return flatness(model, loss_of, seed)

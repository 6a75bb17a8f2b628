"""The winner's network with its weights, and what it says of the validation images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from search import register
from search.addresses import without_secret
from search.checkpoints import SEARCH, Checkpoints
from search.errors import StudyError
from search.execution.names import BEST
from search.places import place_at
from search.result import StudyResult, TrialSummary
from search.spec import OWN_CORE
from search.study import Study
from spaces import InputError
from trainables.builder import network
from trainables.config import Fixed, TrialConfig
from trainables.data import Dataset, load_dataset
from trainables.data.batches import Split
from trainables.data.dataset import Images
from trainables.data.folds import with_folds
from trainables.data.reading import Reading
from trainables.evaluation import predict
from trainables.material import Material, normalise_for, prepare, reading_of
from trainables.models.backbone import find_backbone, load_weights, weights_fingerprint
from trainables.precision import Precision, pick_device
from trainables.restoring import restored

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Winner:
    """A network that a study has trained.

    Args:
        trial: The winner.
        own: Whether the weights are the trial's own; else those of the best training that confirmed it.
        epoch: After which the weights were best, of the fold's epochs where there are folds.
        fold: Which fold's network it is, from 0: of those of one recipe the one that scored best.
        dataset: The study's.
        material: Made of it.
        fixed: The study's constants.
        network: With its weights.
        images: Those it is validated on, as the data set has them.
        logits: Of them, [N, classes] float32, computed in fp32.
        labels: Of them, [N].
    """

    trial: TrialSummary
    own: bool
    epoch: int
    fold: int
    dataset: Dataset
    material: Material
    fixed: Fixed
    network: nn.Module
    images: Images
    logits: Tensor
    labels: Tensor

    @property
    def folds(self) -> int:
        """How many there are; 0 where there is but the one split."""
        return len(self.material.folds)

    @property
    def judged_by(self) -> str:
        """What its validation images are, in words."""
        return f"part {self.fold + 1} of {self.folds}" if self.folds else "the validation split"


def find_winner(
    study: Study,
    result: StudyResult,
    progress: Callable[[int, int], None] | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Winner:
    """The winner of a study, ready to be used.

    Args:
        study: The study.
        result: What it found.
        progress: Told how far the decoding of images has come.
        tell: Told in a few words what is being done.

    Raises:
        InputError: There is no winner, its weights are gone, or the data is not any more what it was trained on.
        StudyError: The weights are another network's, or give numbers that are none.
    """
    spec = study.spec
    try:
        trial = result.best
    except LookupError as error:
        raise InputError(str(error)) from None
    if spec.trainable != OWN_CORE:
        raise InputError(
            f"a winner's network is known where a study trains by the project's own core, but {spec.name!r} does by "
            f"{spec.trainable!r}"
        )
    best, fold = _best_of(_checkpoint(study, trial))
    fixed = spec.fixed()
    dataset = _dataset(study, fixed, reading_of(fixed, progress, tell))
    tell("judging the winner")
    config = TrialConfig.from_params(trial.params, fixed)
    try:
        material = _material(study, dataset, fixed, config, best["weights"])
        model = restored(best["weights"], config, material)
    except (ValueError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        raise StudyError(f"the weights of trial {trial.number} cannot be loaded: {error}") from None
    device = pick_device("auto")
    val = material.fold(fold).val if material.folds else material.val
    split = Split(val, device)
    logits = predict(model.to(device), split, material.normalise, Precision("fp32", device))
    if not bool(torch.isfinite(logits).all()):
        raise StudyError(f"the network of trial {trial.number} gives values that are not finite in fp32")
    return Winner(
        trial=trial,
        own=_is_own(study, trial),
        epoch=int(best["epoch"]),
        fold=fold,
        dataset=dataset,
        material=material,
        fixed=fixed,
        network=model,
        images=dataset.folds[fold][1] if dataset.folds else dataset.val,
        logits=logits.cpu(),
        labels=split.labels.cpu(),
    )


def _checkpoint(study: Study, trial: TrialSummary) -> dict[str, Any]:
    place, state = trial.checkpoint, None
    if place is not None:
        try:
            state = place_at(place.rpartition("/")[0]).load(BEST)
        except OSError as error:
            raise StudyError(
                f"the weights in {without_secret(place)} cannot be read: {error.strerror or error}"
            ) from None
    if state is None:
        what = "are gone" if place is None else f"in {without_secret(place)} are not whole"
        raise InputError(
            f"the winner must have its weights, but those of trial {trial.number} of "
            f"{study.spec.name!r} {what}; train it again: `finetune-search best {study.spec.name} > recipe.yaml`, then "
            "`finetune-search train recipe.yaml --out weights.safetensors`"
        )
    return state


def _is_own(study: Study, trial: TrialSummary) -> bool:
    own = Checkpoints(study.store, study.spec.name).place(SEARCH, trial.number).address
    return trial.checkpoint == f"{own}/{BEST}"


def _best_of(state: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Epoch, score and weights of one training, and its fold: the best-scoring, the first of equals."""
    folds: list[dict[str, Any]] = state.get("folds", [state])
    fold = max(range(len(folds)), key=lambda number: float(folds[number]["score"]))
    return folds[fold], fold


def _dataset(study: Study, fixed: Fixed, reading: Reading) -> Dataset:
    """The study's images, still those that it was held to."""
    spec = study.spec
    dataset = load_dataset(spec.data, spec.split_seed, reading)
    dataset = with_folds(dataset, spec.folds, spec.holdouts, spec.split_seed)
    held = register.find_study(study.store, spec.name).user_attrs.get(register.DATA)
    if held is not None and held != dataset.fingerprint():
        raise InputError(
            f"the images, labels and splits of study {spec.name!r} must be those of its winner's training, but data "
            f"{spec.data!r} has changed; put it back"
        )
    return dataset


def _material(
    study: Study, dataset: Dataset, fixed: Fixed, config: TrialConfig, weights: dict[str, Tensor]
) -> Material:
    """The study's; pretrained weights are only fetched where the checkpoint lacks what is not its head's."""
    backbone = find_backbone(fixed)
    bare = prepare(dataset, fixed.model_copy(update={"pretrained": False}))
    material = replace(bare, backbone=backbone, normalise=normalise_for(backbone, bare.train))
    if set(network(config, material).state_dict()) <= set(weights):
        return material
    pretrained = load_weights(backbone, fixed.pretrained)
    held = register.find_study(study.store, study.spec.name).user_attrs.get(register.WEIGHTS)
    if held is not None and held != weights_fingerprint(pretrained):
        raise InputError(
            f"the pretrained weights of study {study.spec.name!r} must be those of its winner's training, but the file "
            f"{fixed.pretrained!r} has changed; put it back"
        )
    return replace(material, weights=pretrained)

"""What a study needs before its first trial: data, weights, proof that each recipe can be trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial

from search.addresses import without_secret
from search.answer.hits import Hits
from search.answer.measured import Measured
from search.errors import StudyError
from search.execution.names import BEST
from search.places import Place
from search.spec import OWN_CORE, StudySpec
from spaces import SearchSpace
from trainables.config import Fixed

if TYPE_CHECKING:
    from trainables.data import Dataset
    from trainables.material import Material
    from trainables.testing import Opened


@dataclass(frozen=True)
class Prepared:
    """Data and weights of a study, and the epoch before which its trials are not judged.

    Args:
        dataset: With the test split, which no trial gets.
        material: What all trials share.
        grace: Epochs.
    """

    dataset: Dataset
    material: Material
    grace: int


def prepare_study(
    spec: StudySpec,
    space: SearchSpace,
    progress: Callable[[int, int], None],
    tell: Callable[[str], None] = lambda text: None,
) -> Prepared:
    """Load data and weights, and build the network of each kind of recipe once.

    Args:
        spec: The study.
        space: Its space.
        progress: Told how far the decoding of images, and then the making of built-in weights, has come.
        tell: Told in a few words what is being done.

    Raises:
        InputError: Unknown data or model, unreadable weights, or a recipe that cannot be trained.
    """
    from trainables.data import load_dataset
    from trainables.data.folds import with_folds
    from trainables.material import prepare, reading_of

    fixed = spec.fixed()
    dataset = load_dataset(spec.data, spec.split_seed, reading_of(fixed, progress, tell))
    dataset = with_folds(dataset, spec.folds, spec.holdouts, spec.split_seed)
    tell("preparing weights and workers")
    material = prepare(dataset, fixed, progress)
    grace = 1 if spec.grace == "auto" else spec.grace
    if spec.trainable == OWN_CORE:  # a user's own trainable knows its parameters better than we do
        from search.feasibility import check_space, grace_epochs

        check_space(space, fixed, material)
        check_processes(spec, space, fixed, material)
        if spec.grace == "auto":
            grace = grace_epochs(space, fixed, material)
    return Prepared(dataset, material, grace)


def check_processes(spec: StudySpec, space: SearchSpace, fixed: Fixed, material: Material) -> None:
    """Can the processes that the spec gives a trial train it? Asked again once every ``auto`` is decided.

    Raises:
        InputError: They cannot.
    """
    if spec.processes > 1 and spec.trainable == OWN_CORE:
        from search.feasibility import check_several

        check_several(space, fixed, material, spec.processes, sharded=spec.sharded)


def evaluator(
    spec: StudySpec,
    prepared: Prepared,
    fixed: Fixed,
    place_of: Callable[[int], Place],
    compute: Callable[..., Opened],
) -> Callable[[FrozenTrial], Measured] | None:
    """Tells what a training's best weights are worth on the test split; none for a trainable of the user's own.

    A training on folds has a network each.

    Args:
        spec: The study.
        prepared: Its data.
        fixed: Its constants, every ``auto`` decided.
        place_of: Training's number → where its checkpoints are.
        compute: Calls a function where the device is.
    """
    if spec.trainable != OWN_CORE:
        return None
    from trainables.folded import fold_seed
    from trainables.soundness.soundness import pooled
    from trainables.testing import open_test

    def evaluate(training: FrozenTrial) -> Measured:
        place = place_of(training.number)
        best = place.load(BEST)
        if best is None:
            raise StudyError(
                f"the weights of confirmation {training.number} of {spec.name!r} must be in "
                f"{without_secret(place.address)}, but are not there or not whole"
            )
        seed, material = training.user_attrs["seed"], prepared.material
        folds: list[dict[str, Any]] = best["folds"] if material.folds else [best]
        seen = [
            compute(
                open_test,
                prepared.dataset.test,
                prepared.dataset.classes,
                one["weights"],
                training.params,
                fixed,
                fold_seed(seed, fold),
                material.fold(fold) if material.folds else material,
            )
            for fold, one in enumerate(folds)
        ]
        sound = [one.soundness for one in seen if one.soundness is not None]
        return Measured(
            Hits.of([one.right for one in seen]), pooled(sound) if len(sound) == len(seen) else None
        )

    return evaluate

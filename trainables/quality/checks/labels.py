"""Labels that are probably wrong: a linear probe that has not seen an image is sure that it shows another class."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from trainables.quality.finding import Finding, Severity, Skipped, one_each, share
from trainables.quality.subject import Subject

KIND = "label_errors"

FOLDS, LEAST = 5, 5
"""Parts that the probe is trained without in turn, and images of a class below which it is not looked at."""

TRUSTED = 0.6
"""Accuracy on images that the probe has not seen, below which its doubts are its own fault."""

DIMENSIONS = 128
"""Of the features after their principal components were taken: as many as decide, and quick to fit."""

STRENGTH = 50.0
"""Weight of all images' losses beside the penalty on the probe's weights: the same however many they are."""

SURE, UNLIKELY = 0.8, 0.05
"""Probability of the class that the probe sees, and of the label, from which on a label is called an error."""

MANY = 0.02


def find_labels(subject: Subject) -> Iterable[Finding | Skipped]:
    """Likely label errors, as confident learning finds them among predictions for images left out.

    Source: Northcutt et al., "Confident Learning" (JAIR, 2021), as cleanlab has it.
    """
    if subject.features is None:
        yield Skipped(KIND, "it needs a pretrained model: --model NAME")
        return
    rows = _of_enough(subject)
    given = subject.listing.labels[rows]
    names, numbers = np.unique(given, return_inverse=True)
    if len(names) < 2:
        yield Skipped(KIND, f"it needs two classes of at least {LEAST} images")
        return
    probabilities = out_of_fold(subject.features[rows], numbers, subject.copies[rows])
    accuracy = float((probabilities.argmax(axis=1) == numbers).mean())
    if accuracy < max(TRUSTED, 1.5 * float(np.bincount(numbers).max() / len(numbers))):
        yield Skipped(
            KIND,
            f"a linear probe on the model's features is right for {100 * accuracy:.0f} % of the images only: too "
            "little to doubt their labels",
        )
        return
    places = _issues(numbers, probabilities)
    if len(places):
        classes = subject.listing.classes
        seen = {
            int(rows[place]): (names[probabilities[place].argmax()], float(probabilities[place].max()))
            for place in places
        }
        yield Finding(
            kind=KIND,
            severity=Severity.WARNING if len(places) > MANY * len(rows) else Severity.NOTICE,
            says=f"{share(len(places), len(rows))} probably bear a wrong label, as a linear probe sees it that is "
            f"right for {100 * accuracy:.0f} % of images it has not seen.",
            advice="Look at them and mend what is wrong; do not remove those that are merely hard.",
            count=len(places),
            groups=one_each(
                seen,
                lambda row: (
                    f"labelled {classes[subject.listing.labels[row]]}, looks like "
                    f"{classes[seen[row][0]]} ({seen[row][1]:.2f})"
                ),
            ),
            figures=(("probe_accuracy", round(accuracy, 4)),),
        )


def _of_enough(subject: Subject) -> NDArray[np.int64]:
    """Readable images of classes that have enough of them."""
    of = subject.listing.labels[subject.readable]
    counts = np.bincount(of, minlength=len(subject.listing.classes))
    return subject.readable[counts[of] >= LEAST]


def out_of_fold(
    features: NDArray[np.float32], numbers: NDArray[np.int64], copies: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Probabilities of the classes for each image, from a probe trained without it and its copies, [N, classes].

    Args:
        features: [N, F].
        numbers: Class of each image, [N], in [0, classes).
        copies: Number of each image's group, [N]; a group is left out as a whole.
    """
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classes = int(numbers.max()) + 1
    found = np.full((len(numbers), classes), 1 / classes)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for seen, unseen in folds.split(features, numbers, copies):
        dimensions = min(DIMENSIONS, features.shape[1], len(seen) - 1)
        probe = make_pipeline(
            StandardScaler(),
            PCA(dimensions, random_state=0),  # not whitened: of few images that makes noise of everything
            LogisticRegression(C=STRENGTH / len(seen), max_iter=300),
        )
        probe.fit(features[seen], numbers[seen])
        found[np.ix_(unseen, probe.classes_)] = probe.predict_proba(features[unseen])
        lacking = np.setdiff1d(np.arange(classes), probe.classes_)
        found[np.ix_(unseen, lacking)] = 0
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _issues(numbers: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Places of likely errors, the surest first."""
    from cleanlab.filter import find_label_issues

    issues = find_label_issues(
        numbers, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1, filter_by="both"
    )
    places = np.asarray(issues, np.int64).reshape(-1)
    sure = probabilities[places].max(axis=1) >= SURE
    unlikely = probabilities[places, numbers[places]] <= UNLIKELY
    return np.asarray(places[sure & unlikely])

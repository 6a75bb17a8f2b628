"""How much of its accuracy a network keeps on images that are spoilt."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from trainables.seeds import derive_seed
from trainables.soundness.corruptions import CORRUPTIONS, SEVERITIES, Corruption
from trainables.soundness.figures import Robustness

BATCH = 64
"""Images that are spoilt at once. It is not to be chosen: what is drawn for an image depends on it."""


@torch.inference_mode()
def robustness(
    logits_of: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    seed: int,
    most: int | None = None,
    corruptions: Mapping[str, Corruption] = CORRUPTIONS,
    progress: Callable[[int, int], None] | None = None,
) -> Robustness:
    """Measure the accuracy under each corruption at each severity.

    It takes as many passes over the images as there are corruptions and severities, and one. What is drawn for
    a corruption depends on the seed, its name and the images' places, not on severity or on other
    corruptions: severities are compared on the same draws, as far as they draw alike.

    Args:
        logits_of: Images [B, C, H, W], float32 in [0, 1], on their device, at most `BATCH` → logits [B, classes]:
            normalisation is its business, and that the network is in evaluation mode.
        images: [N, C, H, W], uint8 in [0, 255] or float in [0, 1]; never written to. At most `BATCH` are
            turned to floats at once.
        labels: [N], int64.
        seed: Of the draws, and of which images are taken.
        most: At most so many images, see `stratified`; none for all.
        corruptions: By name. Those that change nothing but colours are left out for images of one channel.
        progress: Told (passes done, of how many), a pass being one over `BATCH` images at most.

    Raises:
        ValueError: No images, or not as many as labels; no corruption that applies; `most` below 1; or images that
            a corruption refuses.
    """
    if not len(images) or len(images) != len(labels):
        raise ValueError(
            f"there must be images and as many labels, but got {len(images)} images and {len(labels)} labels"
        )
    applied = {name: one for name, one in corruptions.items() if images.shape[1] > 1 or not one.colour}
    if not applied:
        raise ValueError(
            f"there must be a corruption that changes images of {images.shape[1]} channels, "
            f"but got {', '.join(corruptions) or 'none'}"
        )
    rows = torch.arange(len(labels)) if most is None else stratified(labels, most, seed)
    clean, hits = 0, {name: [0] * len(SEVERITIES) for name in applied}
    done, passes = 0, -(-len(rows) // BATCH) * (1 + len(applied) * len(SEVERITIES))
    for start in range(0, len(rows), BATCH):
        chosen = rows[start : start + BATCH]
        pictures, truth = _floats(images[chosen.to(images.device)]), labels[chosen.to(labels.device)]
        clean += _hits(logits_of(pictures), truth)
        done += 1
        for name, corruption in applied.items():
            for place, severity in enumerate(SEVERITIES):
                generator = torch.Generator().manual_seed(derive_seed(seed, name, start))
                hits[name][place] += _hits(logits_of(corruption(pictures, severity, generator)), truth)
                done += 1
                if progress is not None:
                    progress(done, passes)
    return _summary(
        len(rows), clean, {name: (one.family, tuple(hits[name])) for name, one in applied.items()}
    )


def stratified(labels: Tensor, most: int, seed: int) -> Tensor:
    """Rows of at most `most` images, in rising order, in which classes have the shares that they have in all.

    Each class has the whole part of its quota; what is left goes to the largest remainders, of equal ones to
    the smaller class. So a rare class may have none, and the accuracy is one of images, not of classes.

    Args:
        labels: [N], int64, at least 0.
        most: At least 1; all rows where there are no more.
        seed: Of which images of a class are taken.

    Returns:
        int64, on the processor.

    Raises:
        ValueError: `most` is below 1.
    """
    if most < 1:
        raise ValueError(f"most must be at least 1, but got {most}")
    labels = labels.cpu()
    if most >= len(labels):
        return torch.arange(len(labels))
    counts = labels.bincount()
    quotas, remainders = counts * most // len(labels), counts * most % len(labels)
    left = most - int(quotas.sum())
    quotas[remainders.argsort(descending=True, stable=True)[:left]] += 1
    shuffled = torch.randperm(
        len(labels), generator=torch.Generator().manual_seed(derive_seed(seed, "subset"))
    )
    grouped = shuffled[labels[shuffled].argsort(stable=True)]  # a class after the other, each shuffled
    parts = zip(grouped.split(counts.tolist()), quotas.tolist(), strict=True)
    return torch.cat([part[:quota] for part, quota in parts]).sort().values


def _summary(images: int, clean: int, hits: Mapping[str, tuple[str, tuple[int, ...]]]) -> Robustness:
    """Accuracies from hits: those on clean images, and by corruption its family and those of each severity."""
    accuracies = {name: tuple(hit / images for hit in each) for name, (_, each) in hits.items()}
    means = {name: sum(each) / len(each) for name, each in accuracies.items()}
    members: dict[str, list[float]] = {}
    for name, (family, _) in hits.items():
        members.setdefault(family, []).append(means[name])
    mean = sum(means.values()) / len(means)
    return Robustness(
        images=images,
        clean=clean / images,
        accuracies=accuracies,
        families={family: sum(each) / len(each) for family, each in members.items()},
        mean=mean,
        relative=mean / (clean / images) if clean else None,
    )


def _floats(images: Tensor) -> Tensor:
    return images.float() / 255 if images.dtype == torch.uint8 else images.float()


def _hits(logits: Tensor, labels: Tensor) -> int:
    return int((logits.argmax(1) == labels).sum())

"""What a network is worth on images it did not learn from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics.functional.classification import multiclass_calibration_error

from trainables.data.batches import Split
from trainables.precision import Precision

BATCH = 512


@dataclass(frozen=True)
class Normalise:
    """Images in [0, 1] → what the network was trained to see; mean and std are one value a channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: Tensor) -> Tensor:
        """[B, C, H, W] float → the same, (x − mean) / std."""
        mean = images.new_tensor(self.mean).view(1, -1, 1, 1)
        std = images.new_tensor(self.std).view(1, -1, 1, 1)
        return (images - mean) / std


@torch.inference_mode()
def predict(model: nn.Module, split: Split, normalise: Normalise, precision: Precision) -> Tensor:
    """Logits [N, classes], float32, in the order of the split. Leaves the model in evaluation mode."""
    model.eval()
    logits = []
    for images, _ in split.in_order(BATCH):
        inputs = normalise(images).contiguous(memory_format=torch.channels_last)
        with precision.autocast():
            logits.append(model(inputs))
    return torch.cat(logits).float()


def score_logits(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Loss, accuracy and calibration error of logits [N, classes] against labels [N].

    Returns:
        ``loss`` (mean cross-entropy, nats), ``accuracy`` in [0, 1], ``ece`` in [0, 1]: expected
        calibration error over 15 bins (Guo et al., ICML 2017, arXiv:1706.04599). Logits that are not
        finite give an infinite loss, the accuracy they have, and an ece of 1.
    """
    accuracy = float((logits.argmax(1) == labels).float().mean())
    if not bool(torch.isfinite(logits).all()):
        return {"loss": float("inf"), "accuracy": accuracy, "ece": 1.0}
    return {
        "loss": float(functional.cross_entropy(logits, labels)),
        "accuracy": accuracy,
        "ece": float(
            multiclass_calibration_error(logits.softmax(1), labels, num_classes=logits.shape[1], n_bins=15)
        ),
    }

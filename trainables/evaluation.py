"""What a network is worth on images it did not learn from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from trainables.data.batches import Split
from trainables.memory_format import AS_USUAL, laid_out
from trainables.precision import Precision

BATCH = 512


@dataclass(frozen=True)
class Normalise:
    """Images in [0, 1] → what the network was trained to see; mean and std are one value a channel.

    Args:
        mean: Of each channel.
        std: Likewise.
        memory_format: The order in memory of what it gives, by its name in `trainables.memory_format`.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    memory_format: str = AS_USUAL

    def __call__(self, images: Tensor) -> Tensor:
        """[B, C, H, W] float → (x − mean) / std, as it lies in the network's memory."""
        mean, deviation = _statistics(self.mean, self.std, images.device)
        return laid_out((images - mean) / deviation, self.memory_format)

    def batches(self, split: Split, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All of a split as it is, in order: what the network is given, and labels, at most `size` at once."""
        for images, labels in split.in_order(size):
            yield self(images), labels


@lru_cache(maxsize=16)
@torch.inference_mode(mode=False)  # else who asks first in a validation leaves it what training cannot use
def _statistics(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Both as [1, C, 1, 1] on the device: made once, since each step asks for them."""
    first, second = (torch.tensor(values, device=device).view(1, -1, 1, 1) for values in (mean, std))
    return first, second


@torch.inference_mode()
def predict(model: nn.Module, split: Split, normalise: Normalise, precision: Precision) -> Tensor:
    """Logits [N, classes], float32, in the order of the split. Leaves the model in evaluation mode."""
    model.eval()
    logits = []
    for inputs, _ in normalise.batches(split, BATCH):
        with precision.autocast():
            logits.append(model(inputs))
    return torch.cat(logits).float()


def score_logits(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Loss, accuracy and calibration error of logits [N, classes] against labels [N].

    Returns:
        ``loss`` (mean cross-entropy, nats), ``accuracy`` in [0, 1], ``ece`` in [0, 1] (see
        `calibration_error`). Logits that are not finite give an infinite loss and an ece of 1.
    """
    accuracy = int((logits.argmax(1) == labels).sum()) / len(labels)
    if not bool(torch.isfinite(logits).all()):
        return {"loss": float("inf"), "accuracy": accuracy, "ece": 1.0}
    return {
        "loss": float(functional.cross_entropy(logits, labels)),
        "accuracy": accuracy,
        "ece": calibration_error(logits.softmax(1), labels),
    }


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """Expected calibration error: how far confidence and accuracy lie apart, averaged over confidence bins.

    torchmetrics has it too, and agrees (a test compares), but importing that costs every worker 2.4 s.

    Args:
        probabilities: [N, classes], rows that sum to 1.
        labels: [N].
        bins: Bins of equal width over confidence, each open below and closed above.

    Returns:
        ``Σ_b n_b / N · |accuracy_b − confidence_b|``, in [0, 1].

    Source: Guo et al., ICML 2017 (arXiv:1706.04599), equation 3.
    """
    confidence, guess = probabilities.max(1)
    gap = (guess == labels).float() - confidence
    bin_of = (confidence * bins).ceil().long().sub(1).clamp(0, bins - 1)
    return float(torch.zeros(bins, device=gap.device).index_add_(0, bin_of, gap).abs().sum() / len(labels))


class WithWeights(nn.Module):
    """A network seen with other weights and buffers, without a copy of it.

    Args:
        model: The network.
        weights: Name → tensor, as its ``state_dict`` gives them.
    """

    def __init__(self, model: nn.Module, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.model = model
        self._weights = dict(weights)

    def forward(self, inputs: Tensor) -> Tensor:
        """What the network gives for `inputs` with these weights."""
        outputs: Tensor = functional_call(self.model, self._weights, (inputs,))
        return outputs

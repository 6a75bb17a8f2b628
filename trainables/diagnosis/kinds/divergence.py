"""A loss or a gradient that is not finite, by its cause. These are told in the step where it happens."""

from __future__ import annotations

from trainables.diagnosis.kind import Kind

FAMILY = "diverged"
GROWS = 10.0
"""How many times the last healthy step's loss or gradient is the smallest of those before it, or weights are as long as
at the start."""
LOWEST_SCALE = 1.0
"""A loss scale below which gradients that overflow are no matter of scaling."""
SHOWN = 10
"""Images that are named."""

_CLIP = "clip gradients"

BAD_INPUT = Kind(
    name="bad_input",
    title="diverged: bad input",
    did="diverged",
    remedy="Look at these images and at what changes them (augmentation, normalisation): something makes NaN or "
    "infinity of them.",
    advice=_CLIP,
    source="PyTorch documentation, torch.isfinite",
    family=FAMILY,
)
BROKEN_WEIGHTS = Kind(
    name="broken_weights",
    title="diverged: broken weights",
    did="diverged",
    remedy="Begin with other weights: those that were loaded are not finite.",
    advice=_CLIP,
    source="PyTorch documentation, torch.isfinite",
    family=FAMILY,
)
FP16_OVERFLOW = Kind(
    name="fp16_overflow",
    title="diverged: fp16 overflow",
    did="diverged",
    remedy="Train in bf16 or fp32: `--set precision=bf16`.",
    advice="set precision=bf16",
    source="Micikevicius et al., Mixed Precision Training, ICLR 2018 (arXiv:1710.03740): fp16 ends at 65504",
    thresholds={"LOWEST_SCALE": LOWEST_SCALE},
    family=FAMILY,
)
INFINITE_LOSS = Kind(
    name="infinite_loss",
    title="diverged: log of zero",
    did="diverged",
    remedy="Mend the loss: it takes the logarithm of 0 or divides by it; work with `log_softmax`, or clamp.",
    advice=_CLIP,
    source="PyTorch documentation, torch.nn.functional.log_softmax",
    family=FAMILY,
)
RATE_TOO_HIGH = Kind(
    name="rate_too_high",
    title="diverged: rate too high",
    did="diverged",
    remedy="Lower the learning rate tenfold, clip gradients (`clipping: norm`), or warm up for longer.",
    advice=_CLIP,
    source="Goodfellow, Bengio & Courville, Deep Learning, 2016, section 11.4.1",
    thresholds={"GROWS": GROWS},
    family=FAMILY,
)
DIVERGED = Kind(
    name="diverged",
    title="diverged",
    did="diverged",
    remedy="Lower the learning rate first, then clip gradients (`clipping: norm`), then try `precision: fp32`.",
    advice=_CLIP,
    source="Godbole et al., Deep Learning Tuning Playbook, 2023: how training instability is told and mended",
    family=FAMILY,
)

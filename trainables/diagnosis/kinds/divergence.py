"""A loss or a gradient that is not finite, by its cause. These are told in the step where it happens."""

from __future__ import annotations

from functools import partial

from trainables.diagnosis.kind import Kind

FAMILY = "diverged"
GROWS = 10.0
"""How many times the last healthy step's loss or gradient is the smallest of those before it, or weights are as long as
at the start."""
LOWEST_SCALE = 1.0
"""A loss scale below which gradients that overflow are no matter of scaling."""
SHOWN = 10
"""Images that are named."""

_divergence = partial(Kind, did="diverged", advice="clip gradients", family=FAMILY)
"""What all of them share; a study adds them up as one."""

BAD_INPUT = _divergence(
    name="bad_input",
    title="diverged: bad input",
    remedy="Look at these images and at what changes them (augmentation, normalisation): something makes NaN or "
    "infinity of them.",
    source="PyTorch documentation, torch.isfinite",
)
BROKEN_WEIGHTS = _divergence(
    name="broken_weights",
    title="diverged: broken weights",
    remedy="Begin with other weights: those that were loaded are not finite.",
    source="PyTorch documentation, torch.isfinite",
)
FP16_OVERFLOW = _divergence(
    name="fp16_overflow",
    title="diverged: fp16 overflow",
    remedy="Train in bf16 or fp32: `--set precision=bf16`.",
    advice="set precision=bf16",
    source="Micikevicius et al., Mixed Precision Training, ICLR 2018 (arXiv:1710.03740): fp16 ends at 65504",
    thresholds={"LOWEST_SCALE": LOWEST_SCALE},
)
INFINITE_LOSS = _divergence(
    name="infinite_loss",
    title="diverged: log of zero",
    remedy="Mend the loss: it takes the logarithm of 0 or divides by it; work with `log_softmax`, or clamp.",
    source="PyTorch documentation, torch.nn.functional.log_softmax",
)
RATE_TOO_HIGH = _divergence(
    name="rate_too_high",
    title="diverged: rate too high",
    remedy="Lower the learning rate tenfold, clip gradients (`clipping: norm`), or warm up for longer.",
    source="Goodfellow, Bengio & Courville, Deep Learning, 2016, section 11.4.1",
    thresholds={"GROWS": GROWS},
)
DIVERGED = _divergence(
    name="diverged",
    title="diverged",
    remedy="Lower the learning rate first, then clip gradients (`clipping: norm`), then try `precision: fp32`.",
    source="Godbole et al., Deep Learning Tuning Playbook, 2023: how training instability is told and mended",
)

"""The AMP training loop that every trial runs: a generator of epoch records."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainables.averaging import Averaging
from trainables.data.batches import Split, epoch_order
from trainables.evaluation import Normalise, predict, score_logits
from trainables.generators import seeded
from trainables.precision import Precision
from trainables.protocol import Diverged, EpochRecord, State
from trainables.schedules import Schedule
from trainables.seeds import derive_seed
from trainables.strategies import Strategy


@dataclass(frozen=True)
class Plan:
    """How long and in which portions.

    Args:
        epochs: Full budget, and the schedule's horizon.
        batch: Images a step of the optimizer sees.
        micro: Most images in one forward pass.
        repeats: Passes over the training images an epoch.
        clip_norm: Longest gradient; infinite for no clipping.
        seed: Of the order, the augmentation and the dropout.
    """

    epochs: int
    batch: int
    micro: int
    repeats: int
    clip_norm: float
    seed: int


class FineTuning:
    """Fine-tuning of one network by one recipe. See `trainables.protocol.Trainable`.

    It is put together by `trainables.builder`; every part is a finished object, switched-off parts
    are null objects, so the loop has no branches for features.
    """

    def __init__(
        self,
        *,
        plan: Plan,
        model: nn.Module,
        strategy: Strategy,
        optimizer: torch.optim.Optimizer,
        schedule: Schedule,
        criterion: nn.Module,
        augment: nn.Module,
        normalise: Normalise,
        precision: Precision,
        averaging: Averaging,
        train: Split,
        val: Split,
    ) -> None:
        self.plan = plan
        self.model = model
        self.strategy = strategy
        self.optimizer = optimizer
        self.schedule = schedule
        self.criterion = criterion
        self.augment = augment
        self.normalise = normalise
        self.precision = precision
        self.averaging = averaging
        self.train, self.val = train, val
        self.scaler = precision.scaler()
        self.steps_per_epoch = len(epoch_order(len(train), plan.batch, plan.repeats, 0))
        self.epoch = 0
        self.best_epoch, self.best_score = 0, -float("inf")
        self.best_weights: dict[str, Tensor] = {}

    def epochs(self) -> Iterator[EpochRecord]:
        """Train from where the state stands to the full budget, one record an epoch.

        Raises:
            Diverged: A loss or a gradient is not finite (fp16's skipped steps apart: there the loss
                scale is too high, not the recipe).
        """
        while self.epoch < self.plan.epochs:
            epoch = self.epoch + 1
            began = time.perf_counter()
            with seeded(derive_seed(self.plan.seed, "epoch", epoch), self.precision.device):
                metrics = self._train(epoch)
            metrics |= self._validate(epoch)
            metrics["epoch_seconds"] = time.perf_counter() - began
            self.epoch = epoch
            score = metrics["val/accuracy"]
            if score > self.best_score:
                self._keep_best(epoch, score)
            yield EpochRecord(epoch, score, metrics)

    def _train(self, epoch: int) -> dict[str, float]:
        """One epoch of steps; figures stay on the device until its end, so that nothing waits."""
        self.strategy.on_epoch(self.model, epoch)
        order = epoch_order(
            len(self.train), self.plan.batch, self.plan.repeats, derive_seed(self.plan.seed, "order", epoch)
        )
        began = time.perf_counter()
        figures = torch.stack([self._step(epoch, step, rows) for step, rows in enumerate(order)])
        figures = figures.cpu()  # the one place where the processor waits for the device
        seconds = time.perf_counter() - began
        losses, norms, hits = figures.unbind(1)
        self._check_finite(epoch, losses, norms)
        images = sum(len(rows) for rows in order)
        finite = norms[torch.isfinite(norms)]
        return {
            "train/loss": float(losses.mean()),
            "train/accuracy": float(hits.sum()) / images,
            "train/grad_norm": float(finite.mean()) if len(finite) else math.inf,
            "lr": max(group["lr"] for group in self.optimizer.param_groups),
            "images_per_second": images / seconds,
            "train_seconds": seconds,
        }

    def _step(self, epoch: int, step: int, rows: Tensor) -> Tensor:
        """One step of the optimizer on one effective batch: its loss, gradient norm and hits, [3]."""
        done = (epoch - 1) * self.steps_per_epoch + step
        factor = self.schedule((done + 0.5) / (self.plan.epochs * self.steps_per_epoch))
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak_lr"] * factor
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.zeros((), device=self.precision.device)
        hits = torch.zeros((), device=self.precision.device)
        for part in rows.split(self.plan.micro):
            images, labels = self.train.take(part.to(self.train.labels.device))
            inputs = self.normalise(self.augment(images)).contiguous(memory_format=torch.channels_last)
            with self.precision.autocast():
                logits = self.model(inputs)
            part_loss = self.criterion(logits.float(), labels) * (len(part) / len(rows))
            self.scaler.scale(part_loss).backward()
            loss += part_loss.detach()
            hits += (logits.detach().argmax(1) == labels).sum()
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self._learning(), self.plan.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.averaging.update(self.model)
        return torch.stack((loss, norm.float(), hits))

    def _learning(self) -> Sequence[nn.Parameter]:
        return [p for group in self.optimizer.param_groups for p in group["params"] if p.grad is not None]

    def _check_finite(self, epoch: int, losses: Tensor, norms: Tensor) -> None:
        for what, values in (("loss", losses), ("gradient", norms)):
            bad = (~torch.isfinite(values)).nonzero().flatten().tolist()
            # With loss scaling a gradient overflows now and then until the scale has come down.
            scaling = what == "gradient" and self.scaler.is_enabled() and self.scaler.get_scale() >= 1
            if bad and not scaling:
                raise Diverged(what, epoch, bad[0] + 1, float(values[bad[0]]))

    def _validate(self, epoch: int) -> dict[str, float]:
        logits = predict(self.averaging.module(self.model), self.val, self.normalise, self.precision)
        figures = score_logits(logits, self.val.labels)
        if not math.isfinite(figures["loss"]):
            raise Diverged("validation loss", epoch, self.steps_per_epoch, figures["loss"])
        return {f"val/{name}": value for name, value in figures.items()}

    def _keep_best(self, epoch: int, score: float) -> None:
        self.best_epoch, self.best_score = epoch, score
        best = self.averaging.module(self.model).state_dict()
        self.best_weights = {name: tensor.detach().clone() for name, tensor in best.items()}

    def state_dict(self) -> State:
        """Everything a continuation needs, best weights included. Seeds follow from epoch and trial."""
        return {
            "epoch": self.epoch,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "averaging": self.averaging.state_dict(),
            "best": {"epoch": self.best_epoch, "score": self.best_score, "weights": self.best_weights},
        }

    def load_state_dict(self, state: State) -> None:
        """Put back what `state_dict` gave, on this trial's device."""
        self.epoch = int(state["epoch"])
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.averaging.load_state_dict(state["averaging"])
        best = state["best"]
        self.best_epoch, self.best_score = int(best["epoch"]), float(best["score"])
        self.best_weights = {
            name: tensor.to(self.precision.device) for name, tensor in best["weights"].items()
        }

"""The AMP training loop that every trial runs: a generator of epoch records."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from trainables.averaging import Averaging
from trainables.batchnorm import BatchNorm
from trainables.clipping import Clipping
from trainables.course import Course
from trainables.data.batches import Split
from trainables.determinism import exact
from trainables.diagnosis.causes import Step
from trainables.diagnosis.figures import CHANCE, RATIO
from trainables.diagnosis.watcher import Watch, Watcher, unwatched
from trainables.evaluation import Normalise, score_logits
from trainables.generators import seeded
from trainables.gradients import Gradients
from trainables.instruments import Laps, PeakMemory, UpdateRatio, learning_rates, near_zero
from trainables.optimizers import set_pace
from trainables.precision import Precision
from trainables.protocol import SECONDS, EpochRecord, State
from trainables.ranks import ONE, Ranks
from trainables.report import detailed, headline
from trainables.sampling import Sampling
from trainables.schedules import Schedule
from trainables.seeds import derive_seed
from trainables.sharpness import Sharpness
from trainables.stopping import Stopping
from trainables.strategies import Strategy
from trainables.transfer.features import classifier_prefix


@dataclass(frozen=True)
class Plan:
    """How long and in which portions.

    Args:
        epochs: Full budget, and the schedule's horizon.
        batch: Images a step of the optimizer sees.
        repeats: Passes over the training images an epoch.
        seed: Of the order, the augmentation and the dropout.
        deterministic: Only operations that give the same bits each time.
    """

    epochs: int
    batch: int
    repeats: int
    seed: int
    deterministic: bool


class Pull(Protocol):
    """A penalty on weights, as a change of their gradients."""

    def pull(self) -> None:
        """Add the penalty's gradient where there is one."""


@dataclass(frozen=True)
class Parts:
    """The finished parts of one recipe; what is switched off is a null object.

    Args:
        strategy: Which layers learn, how fast, from when on.
        schedule: Factors on learning rate and momentum.
        sampling: Which images an epoch shows.
        course: (Progress, whether all but the classifier still is as it was pretrained) → what the steps of an
            epoch work on that begins then.
        sharpness: How many passes make a gradient.
        pulls: Penalties on weights.
        clipping: Of gradients.
        averaging: Of weights.
        batchnorm: What becomes of its statistics.
        stopping: When the recipe ends its training.
        evaluating: Puts the weights that an optimizer evaluates by into the network, and back.
    """

    strategy: Strategy
    schedule: Schedule
    sampling: Sampling
    course: Callable[[float, bool], Course]
    sharpness: Sharpness
    pulls: Sequence[Pull]
    clipping: Clipping
    averaging: Averaging
    batchnorm: BatchNorm
    stopping: Stopping
    evaluating: Callable[[], AbstractContextManager[None]]


class FineTuning:
    """Fine-tuning of one network by one recipe. See `trainables.protocol.Trainable`.

    It is put together by `trainables.builder`; every part is a finished object, switched-off parts
    are null objects, so the loop has no branches for features.
    """

    def __init__(
        self,
        *,
        plan: Plan,
        parts: Parts,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        gradients: Gradients,
        scaler: torch.amp.GradScaler,
        precision: Precision,
        normalise: Normalise,
        train: Split,
        val: Split,
        classes: Sequence[str],
        ranks: Ranks = ONE,
    ) -> None:
        self.plan, self.parts = plan, parts
        self.model, self.optimizer = model, optimizer
        self.gradients, self.scaler, self.precision = gradients, scaler, precision
        self.normalise = normalise
        self.train, self.val = train, val
        self.classes = tuple(classes)
        self.ranks, self.holding = ranks, ranks.holding
        self._labels = train.labels.cpu()  # an order is made on the processor
        self.steps_per_epoch = len(self.order(0))
        self.epoch = 0
        self.scores: list[float] = []
        self.best_epoch, self.best_score = 0, -float("inf")
        self._best: dict[str, Tensor] = {}
        self._classifier = classifier_prefix(model)
        self._watcher = Watcher(model, optimizer, scaler, precision, ranks)
        self._chance = float(torch.bincount(val.labels).max()) / len(val)
        self._whole = False  # whether more than the classifier may have changed by now
        self._memory = PeakMemory(precision.device)
        self._laps = Laps(precision.device)

    def epochs(self) -> Iterator[EpochRecord]:
        """Train from where the state stands to the full budget or the recipe's own end, one record an epoch.

        Raises:
            Diverged: A loss or a gradient is not finite (fp16's skipped steps apart: there the loss
                scale is too high, not the recipe).
        """
        while self.epoch < self.plan.epochs and not self.parts.stopping.ended(self.scores):
            with exact(self.plan.deterministic):
                record = self._epoch(self.epoch + 1)
            yield record

    def _epoch(self, epoch: int) -> EpochRecord:
        began = time.perf_counter()
        self._memory.begin()
        self._laps.begin()
        own = derive_seed(self.plan.seed, "epoch", epoch, *self.ranks.words())
        with seeded(own, self.precision.device):
            metrics = self._train(epoch)
        self._laps.lap("other")
        metrics |= self._validate(epoch)
        self._laps.lap("validation")
        metrics["gap/loss"] = metrics["val/loss"] - metrics["train/loss"]
        metrics["gap/accuracy"] = metrics["train/accuracy"] - metrics["val/accuracy"]
        metrics["memory/peak_mb"] = self._memory.end()
        self.epoch = epoch
        self.scores.append(metrics["val/accuracy"])
        ended = "" if epoch == self.plan.epochs else self.parts.stopping.ended(self.scores)
        report = self._report() if ended or epoch == self.plan.epochs else {}
        metrics |= headline(report)
        self._laps.lap("other")
        metrics |= {f"{SECONDS}{what}": seconds for what, seconds in self._laps.seconds().items()}
        metrics["epoch_seconds"] = time.perf_counter() - began
        return EpochRecord(epoch, self.scores[-1], metrics, ended, report)

    def _train(self, epoch: int) -> dict[str, float]:
        """One epoch of steps; a card's figures stay on it until its end, so that it never waits."""
        plan, parts = self.plan, self.parts
        course = self.begin(epoch)
        brake = parts.schedule.brake(self.scores)
        order = self.order(derive_seed(plan.seed, "order", epoch))
        ratio, laps = UpdateRatio(), self._laps
        figures = []
        laps.lap("other")
        began = time.perf_counter()
        for step, rows in enumerate(order):
            self._set_pace(epoch, step, brake)
            inputs, targets = course.batch(self.ranks.share(rows), laps)
            measured = step == len(order) // 2  # in the middle, where the rate is the epoch's
            if measured:
                ratio.begin(self._learning())
            watch = self._watcher.watching(Step(epoch, step + 1, rows, inputs, targets), course.gradients)
            figures.append(self.step(inputs, targets, len(rows), watch))
            if measured:
                ratios = {RATIO: ratio.end(self._learning())}
                ratios |= {f"{RATIO}/{name}": one for name, one in ratio.by_group(self.optimizer).items()}
                ratios = {name: self.holding.figure(one) for name, one in ratios.items()}
            laps.lap("arithmetic")
        losses, hits, norms = (
            self._summed(torch.stack(figures)).cpu().unbind(1)
        )  # the one wait for the device
        seconds = time.perf_counter() - began
        self._watcher.close(losses.tolist(), epoch)
        self.ranks.check(self._learning())
        images_seen = sum(len(rows) for rows in order)
        finite = norms[torch.isfinite(norms)]
        scale = {"train/loss_scale": self.scaler.get_scale()} if self.scaler.is_enabled() else {}
        return {
            "train/loss": float(losses.mean()),
            "train/accuracy": float(hits.sum()) / images_seen,
            "train/grad_norm": float(finite.mean()) if len(finite) else math.inf,
            "train/grad_norm_max": float(finite.max()) if len(finite) else math.inf,
            **{name: float(one) for name, one in ratios.items()},
            "train/near_zero": float(self.holding.figure(near_zero(self.model.parameters()))),
            "train/skipped_steps": len(norms) - len(finite),
            "train/passes": parts.sharpness.passes,
            "train/micro_batch": self.gradients.micro.size,
            "train/together": course.gradients.passes.together,
            **scale,
            **learning_rates(self.optimizer),
            "images_per_second": images_seen / seconds,
            "train_seconds": seconds,
        }

    def begin(self, epoch: int) -> Course:
        """Put network, optimizer and gradients in the state in which an epoch's steps are taken.

        Args:
            epoch: Which, from 1.

        Returns:
            What its steps work on.
        """
        parts = self.parts
        if epoch == 1:
            parts.batchnorm.prepare(self.model, self._plain_batches)
        parts.strategy.on_epoch(self.model, epoch)
        parts.batchnorm.on_epoch(self.model)
        for group in self.optimizer.param_groups:
            group["peak_lr"] = group["top_lr"] * parts.strategy.pace(group["name"], epoch)
        self.gradients.micro.learning(sum(p.numel() for p in self.model.parameters() if p.requires_grad))
        self._course = self._enter((epoch - 1) / self.plan.epochs)
        self._course.gradients.begin()
        return self._course

    def order(self, seed: int) -> list[Tensor]:
        """The rows of each step of the epoch whose order has that seed."""
        return self.parts.sampling.order(self._labels, self.plan.batch, self.plan.repeats, seed)

    def _set_pace(self, epoch: int, step: int, brake: float) -> None:
        """Rates and momenta of the next step, from the middle of its stretch of the budget."""
        done = (epoch - 1) * self.steps_per_epoch + step
        progress = (done + 0.5) / (self.plan.epochs * self.steps_per_epoch)
        schedule = self.parts.schedule
        set_pace(self.optimizer, schedule(progress) * brake, schedule.momentum(progress))

    def _summed(self, figures: Tensor) -> Tensor:
        """Losses and hits are sums of each process's; norms are everybody's, [steps, 3]."""
        return torch.cat((self.ranks.sum(figures[:, :2]), figures[:, 2:]), 1)

    def step(self, inputs: Tensor, targets: Tensor, images: int, watch: Watch = unwatched) -> Tensor:
        """One step of the optimizer, at the rates that its groups have now. An epoch must have begun, see `begin`.

        Args:
            inputs: This process's part of one effective batch, as the epoch's course gives it.
            targets: Likewise, [B, classes].
            images: Of the whole batch.
            watch: Told of loss and gradient before the optimizer steps.

        Returns:
            Its loss, hits and gradient norm, [3], on the device.
        """
        self.optimizer.zero_grad(set_to_none=True)
        gradients = self._course.gradients
        figures = self.parts.sharpness.gradients(
            lambda: gradients(inputs, targets, images), self.optimizer, self.model
        )
        self.scaler.unscale_(self.optimizer)
        for penalty in self.parts.pulls:
            penalty.pull()
        norm = self.holding.figure(self.parts.clipping(self._learning()))
        watch(figures, norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.parts.averaging.update(self.model)
        return torch.cat((figures, norm.float().view(1)))

    def _learning(self) -> list[nn.Parameter]:
        return [p for group in self.optimizer.param_groups for p in group["params"] if p.requires_grad]

    def _plain_batches(self) -> Iterator[Tensor]:
        """The training images as the network is given them, not augmented, in order."""
        return (inputs for inputs, _ in self.normalise.batches(self.train, self.plan.batch))

    def _validate(self, epoch: int) -> dict[str, float]:
        with self.parts.evaluating():
            shown = self.parts.averaging.module(self.model)
            logits = self._course.logits(shown)
            figures = score_logits(logits, self.val.labels)
            self._watcher.validation(epoch, self.steps_per_epoch, figures["loss"])
            if figures["accuracy"] > self.best_score:
                self.best_epoch, self.best_score = epoch, figures["accuracy"]
                self._best = _copied(self._changed(shown.state_dict()))
        return {CHANCE: self._chance} | {f"val/{name}": value for name, value in figures.items()}

    def _report(self) -> dict[str, object]:
        """What the best weights are worth on the validation split, in detail."""
        logits = self._course.logits(self.model, self._best)
        return {"epoch": self.best_epoch, **detailed(logits, self.val.labels, self.classes)}

    def _enter(self, progress: float) -> Course:
        """The course of the next epoch. The first on which all of the network may change leaves what was before."""
        course = self.parts.course(progress, not self._whole)
        if course.whole and not self._whole:
            if self._best:  # of the classifier alone: the rest, which now begins to change, belongs to it
                self._best = _copied(self.best_weights)
            self._whole = True
        return course

    def _changed(self, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Of a network's weights those that may have changed since it was made."""
        if self._whole:
            return weights
        return {name: tensor for name, tensor in weights.items() if name.startswith(self._classifier)}

    @property
    def best_weights(self) -> dict[str, Tensor]:
        """All weights and buffers of the network at its best epoch, by name; nothing before the first."""
        return {**self.model.state_dict(), **self._best} if self._best else {}

    def state_dict(self) -> State:
        """Everything a continuation needs, best weights included. Seeds follow from epoch and trial.

        As long as only the classifier has learnt, of all weights only its own are there: the others are those that
        the network is made with.
        """
        whole = self.holding.whole
        return {
            "epoch": self.epoch,
            "scores": self.scores,
            "whole": self._whole,
            "model": whole(self._changed(self.model.state_dict())),
            "optimizer": whole(self.optimizer.state_dict()),
            "scaler": self.scaler.state_dict(),
            "averaging": self.parts.averaging.state_dict(),
            "best": {"epoch": self.best_epoch, "score": self.best_score, "weights": whole(self._best)},
        }

    def load_state_dict(self, state: State) -> None:
        """Put back what `state_dict` gave, on this trial's device."""
        self.epoch = int(state["epoch"])
        self.scores = [float(score) for score in state["scores"]]
        self._whole = bool(state.get("whole", True))
        self.holding.load(self.model, state["model"], strict=self._whole)
        self.holding.load_optimizer(self.optimizer, state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.parts.averaging.load_state_dict(state["averaging"])
        best = state["best"]
        self.best_epoch, self.best_score = int(best["epoch"]), float(best["score"])
        self._best = self.holding.part(self.model, best["weights"], self.precision.device)


def _copied(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in weights.items()}

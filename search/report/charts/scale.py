"""From values to places along an axis, and the round values at which it is marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.view import words

LETTER = 6.4
"""Width of a letter in a chart, about: what keeps labels apart."""
CLOSE = (0.9999, 0.9995, 0.999, 0.998, 0.995, 0.99, 0.98, 0.95, 0.9, 0.8, 0.5, 0.0)
BETWEEN = (0.97, 0.96, 0.85, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1)
"""Where an axis that is stretched towards 1 is marked, and where else if there is room."""


@dataclass(frozen=True)
class Scale:
    """An axis.

    Args:
        low: The value at its start.
        high: The value at its end, above `low`.
        start: Where it starts in the drawing.
        end: Where it ends; below `start` for an axis that goes up.
        kind: ``linear``; ``whole``, the same for whole numbers; ``log``; ``binary``, the same marked at powers of two;
            or ``close``, stretched towards 1, so that 0.98 and 0.99 are as far apart as 0.8 and 0.9.
    """

    low: float
    high: float
    start: float
    end: float
    kind: str = "linear"

    def __call__(self, value: float) -> float:
        """The place of a value; one beyond the ends is at the end."""
        low, high, here = (self._bent(one) for one in (self.low, self.high, value))
        share = (here - low) / (high - low) if high > low else 0.5
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def _bent(self, value: float) -> float:
        if self.kind in {"log", "binary"}:
            return math.log(max(value, 1e-300))
        if self.kind == "close":
            return -math.log(max(1 - value, 1e-9))
        return value

    def ticks(self, most: int = 6) -> list[float]:
        """Round values on it, `most` or a few more, that do not crowd."""
        found = [one for one in self._candidates(most) if self.low - 1e-12 <= one <= self.high + 1e-12]
        if self.kind != "close":
            return found[:: max(1, -(-len(found) // (most + 1)))]
        kept: list[float] = []
        room = abs(self.end - self.start) / most / 1.3
        for one in found:
            if all(abs(self(one) - self(other)) >= room for other in kept):
                kept.append(one)
        return sorted(kept)

    def is_round(self, tick: float) -> bool:
        """Whether a marked value goes before others where there is room for one only: a power of ten."""
        return self.kind == "log" and abs(math.log10(tick) - round(math.log10(tick))) < 1e-9

    def _candidates(self, most: int) -> list[float]:
        if self.kind == "close":
            return [*CLOSE, *BETWEEN]
        if self.kind == "binary":
            first, last = math.ceil(math.log2(self.low) - 1e-9), math.floor(math.log2(self.high) + 1e-9)
            return [2.0**power for power in range(first, last + 1)]
        if self.kind == "log":
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            decades = [float(f"1e{power}") for power in powers]
            inside = [one for one in decades if self.low * 0.999 <= one <= self.high * 1.001]
            finer = (1, 2, 5) if len(inside) < 2 else (1,)
            return [one * factor for one in decades for factor in finer]
        step = self._step(most)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [step * count for count in range(first, last + 1)]

    def _step(self, most: int) -> float:
        step = step_of(self.high - self.low, most)
        return max(step, 1.0) if self.kind == "whole" else step

    def label(self, value: float, most: int = 6) -> str:
        """A marked value as it is written on the axis, among `most`."""
        if self.kind in {"linear", "whole"}:
            return rounded(value, self._step(most))
        if self.kind == "close":
            return f"{value:g}"
        return f"{value:.0f}" if 1 <= value < 1e5 and value == round(value) else words.number(float(value))


def step_of(span: float, most: int) -> float:
    """The smallest of …, 0.1, 0.2, 0.25, 0.5, 1, 2, 5, … that divides a span into `most` parts or fewer."""
    if not span > 0 or not math.isfinite(span):
        return 1.0
    rough = span / max(most, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    factors = (1, 2, 5, 10) if power == 1 else (1, 2, 2.5, 5, 10)  # 2.5 epochs are none
    return next(power * factor for factor in factors if power * factor >= rough * 0.999)


def rounded(value: float, step: float) -> str:
    """A multiple of a step, with the digits that the step has."""
    if abs(value) < step / 1e6:
        return "0"
    if step >= 1e4 or step < 1e-6:
        return words.number(float(value))
    return f"{value:.{len(f'{step:.8f}'.rstrip('0').partition('.')[2])}f}".replace("-", "−")


def around(values: Sequence[float], least: float = 1e-3) -> tuple[float, float]:
    """Ends of a linear axis on which all of some values lie, with a little room beside them."""
    low, high = min(values), max(values)
    room = max((high - low) * 0.05, least / 2)
    return low - room, high + room


def scores(values: Sequence[float], start: float, end: float) -> Scale:
    """An axis for scores: stretched towards 1 where they are shares and the best come near it."""
    low, high = min(values), max(values)
    if low >= 0 and 0.9 <= high <= 1:
        nearest = min((1 - value for value in values if value < 1), default=0.01)
        top = 1 - max(min(1 - high, nearest) if high < 1 else nearest / 2, 1e-4) * 0.9
        return Scale(max(0.0, low - 0.02), max(top, high if high < 1 else top), start, end, "close")
    return Scale(*around(values, 0.02), start, end)


def width_of(text: str) -> float:
    """How wide a label is, about."""
    return LETTER * len(text)


def cut(text: str, room: float) -> str:
    """A label that fits, cut where it is too long."""
    most = max(int(room / LETTER), 3)
    return text if len(text) <= most else f"{text[: most - 1]}…"

"""Draw every schedule after a warm-up of three of 27 epochs, into docs/schedules.svg.

python benchmarks/plot_schedules.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from trainables.parts import PARTS, PartConfig
from trainables.schedules import make_schedule

EPOCHS, WARMUP = 27, 3
SCORES = [0.5, 0.6, 0.68, 0.74, 0.79, 0.82, *[0.83] * 21]
"""Validation scores that stop improving, for the one schedule that looks at them."""
RATE, MOMENTUM, MUTED = "#1f5fa8", "#d1762c", "#8a8f98"


def main() -> None:
    mpl.rcParams.update({"svg.hashsalt": "schedules", "font.size": 9, "font.family": "DejaVu Sans"})
    names = list(PARTS["schedule"])
    figure, panels = plt.subplots(2, 5, figsize=(10.4, 4.2), sharex=True, sharey=True, layout="constrained")
    times = np.linspace(0, 1, 2701)
    for name, axes in zip(names, panels.flat, strict=True):
        schedule = make_schedule(PartConfig("schedule", name), WARMUP / EPOCHS)
        brakes = [schedule.brake(SCORES[: min(EPOCHS - 1, int(t * EPOCHS))]) for t in times]
        rates = [schedule(float(t)) * brake for t, brake in zip(times, brakes, strict=True)]
        axes.axvspan(0, WARMUP, color="#eef0f3", lw=0)
        axes.plot(times * EPOCHS, rates, color=RATE, lw=1.8, solid_capstyle="round")
        momenta = [schedule.momentum(float(t)) for t in times]
        if min(momenta) < 1:
            axes.plot(times * EPOCHS, momenta, color=MOMENTUM, lw=1.3)
            axes.annotate("momentum", (26.5, 1.03), color=MOMENTUM, ha="right", fontsize=7.5)
        axes.set_title(name, fontsize=9.5, loc="left", color="#22262b")
        axes.set(xlim=(0, EPOCHS), ylim=(0, 1.14), xticks=[0, 9, 18, 27], yticks=[0, 0.5, 1])
        axes.tick_params(length=2.5, color=MUTED, labelcolor="#4a4f57")
        axes.grid(alpha=0.18, lw=0.6)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axes.spines[side].set_color(MUTED)
    figure.supxlabel("epoch (grey: the warm-up)", fontsize=9, color="#4a4f57")
    figure.supylabel("factor on the peak rate", fontsize=9, color="#4a4f57")
    place = Path(__file__).parents[1] / "docs" / "schedules.svg"
    figure.savefig(place, metadata={"Date": None})
    print(place.name)


if __name__ == "__main__":
    main()

"""The built-in backbone: a tiny ResNet that the project itself pretrains on rendered characters."""

from __future__ import annotations

import hashlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from filelock import FileLock

from spaces import Value
from trainables.data.cache import cache_folder

if TYPE_CHECKING:
    from trainables.material import Material

NAME = "glyphs"
ARCHITECTURE = "test_resnet"
MEAN, STD = 0.2486, 0.2869
"""Of the rendered pixels, in [0, 1]."""
SIZE = 32
"""Side of the images that it is trained on, pixels."""

PER_FONT = 20
EPOCHS = 4
SEED = 0
RECIPE: dict[str, Value] = {
    "batch_size": 128,
    "weight_decay": 0.05,
    "label_smoothing": 0.1,
    "warmup_epochs": 0.6,
    "clipping": "none",
    "augmentation_strength": 0.0,  # the rendering is the augmentation
    "strategy": "scratch",
    "strategy.scratch.lr": 4e-3,
}
"""Found by trying: see docs/transfer.md for what it gives."""


def weights_path() -> Path:
    """The file of this version of the weights: another recipe or renderer has another name."""
    return cache_folder() / f"glyphs-{_fingerprint()}.safetensors"


def _fingerprint() -> str:
    from trainables.data import glyphs

    recipe = (ARCHITECTURE, PER_FONT, EPOCHS, SEED, MEAN, STD, sorted(RECIPE.items()), _precision())
    return hashlib.blake2b(f"{recipe}{inspect.getsource(glyphs)}".encode(), digest_size=6).hexdigest()


def ensure_weights(progress: Callable[[int, int], None] | None = None) -> Path:
    """The file of weights; pretrained now if it is not there (under a minute on one core).

    Several processes may ask at once: one makes it, the others wait. A half-made file is never seen.

    Args:
        progress: Called with (done, of how many); without one a terminal is shown a bar.
    """
    path = weights_path()
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            if progress is not None:
                _pretrain(path, progress)
            else:
                with _bar() as shown:
                    _pretrain(path, shown)
    return path


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("pretraining the backbone 'glyphs' (once)")
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _pretrain(path: Path, progress: Callable[[int, int], None]) -> None:
    """Train from scratch with the project's own core, and keep the last epoch's weights."""
    import torch
    from safetensors.torch import save_file

    from trainables.builder import from_params
    from trainables.config import Fixed

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # repeatable: the number of threads changes the order of sums
    progress(0, EPOCHS + 1)
    try:
        material = pretraining_material()
        progress(1, EPOCHS + 1)
        fixed = Fixed(
            model=ARCHITECTURE, pretrained=False, epochs=EPOCHS, device="cpu", precision=_precision()
        )
        trainable = from_params(RECIPE, fixed, SEED, material)
        for record in trainable.epochs():
            progress(1 + record.epoch, EPOCHS + 1)
    finally:
        torch.set_num_threads(threads)
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    save_file({name: tensor.contiguous() for name, tensor in trainable.model.state_dict().items()}, aside)
    os.replace(aside, path)


def _precision() -> Literal["bf16", "fp32"]:
    """By what the processor has, not by measuring: the same machine must make the same weights each time."""
    import torch

    return "bf16" if torch.cpu._is_avx512_bf16_supported() else "fp32"


def pretraining_material() -> Material:
    """Rendered characters to learn from, and other renderings of the same fonts to watch the learning by."""
    from trainables.data import Images, Invariances
    from trainables.data.glyphs import render_glyphs
    from trainables.evaluation import Normalise
    from trainables.material import Material
    from trainables.models.backbone import Backbone

    pixels, labels, classes = render_glyphs(PER_FONT, seed=SEED)
    others, other_labels, _ = render_glyphs(1, seed=SEED + 1)
    return Material(
        classes=classes,
        train=Images(pixels, labels),
        val=Images(others, other_labels),
        invariances=Invariances(horizontal_flip=False),
        repeats=1,
        backbone=Backbone(NAME, ARCHITECTURE),
        weights=None,
        normalise=Normalise((MEAN,), (STD,)),
    )

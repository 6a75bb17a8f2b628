"""What reading images costs: the store against torchvision's ImageFolder and a DataLoader on the same cores.

    python benchmarks/data.py [--data FOLDER] [--images 2000] [--size 224] [--epochs 5]

Both give the same batches: pictures resized to a short side of size / 0.875, a square cut at random, floats in
[0, 1]. Without --data, photographs' stand-ins are drawn: JPEGs of 500 × 375 pixels with large forms and grain.
Times alternate within one run, so that a busy machine slows both; what is printed is the ratio.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

BATCH = 32
PCT = 0.875


def draw_photographs(root: Path, images: int) -> Path:
    """JPEGs in ten class folders."""
    for number in range(images):
        rng = np.random.default_rng(number)
        coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8))
        forms = np.asarray(coarse.resize((500, 375), Image.Resampling.BICUBIC), np.float32)
        grain = rng.normal(0, 8, forms.shape[:2])[..., None]
        folder = root / f"class_{number % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((forms + grain).clip(0, 255).astype(np.uint8)).save(
            folder / f"{number}.jpg", quality=90
        )
    return root


def loader(data: Path, size: int, workers: int) -> DataLoader:
    """As its documentation has it, with what makes it fast."""
    change = transforms.Compose(
        [transforms.Resize(round(size / PCT)), transforms.RandomCrop(size), transforms.ToTensor()]
    )
    return DataLoader(
        ImageFolder(str(data), change),
        BATCH,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )


def seconds_of_loader(batches: DataLoader) -> float:
    began, seen = time.perf_counter(), 0
    for images, _ in batches:
        seen += len(images)
    assert seen == len(batches.dataset)
    return time.perf_counter() - began


def seconds_of_split(split: object, seed: int) -> float:
    from trainables.data.batches import epoch_order

    began = time.perf_counter()
    for rows in epoch_order(len(split), BATCH, 1, seed):
        split.draw(rows)
    return time.perf_counter() - began


def open_split(data: Path, size: int):
    """The store of all images, built where there is none, as one split."""
    from trainables.data.batches import Split
    from trainables.data.dataset import Images
    from trainables.data.preprocessing import Preprocessing
    from trainables.data.sources.folder import Folder
    from trainables.data.store import open_store

    store = open_store(str(data), Folder(data), Preprocessing(size, PCT, interpolation="bilinear"))
    images = Images(store.files["pool"], store.listing.labels, store.rows, size)
    return store, Split(images, torch.device("cpu"))


def read_as_an_actor(data: Path, size: int, begin, done, leave) -> None:
    """A process that reads every picture, as an actor of a study does, and says what memory it has of its own."""
    _, split = open_split(data, size)
    split.draw(torch.arange(BATCH))
    me = psutil.Process()
    before = me.memory_full_info()
    begin.wait()
    seconds_of_split(split, os.getpid())
    begin.wait()  # both have read everything: shared pages count half for each
    after = me.memory_full_info()
    done.put((after.uss - before.uss, after.pss - before.pss))
    leave.wait()


def memory_of_two_actors(data: Path, size: int) -> tuple[int, int]:
    """Growth of two processes that read all: (their own memory, their share of everything), bytes."""
    processes = multiprocessing.get_context("spawn")
    done, begin, leave = processes.Queue(), processes.Barrier(2), processes.Event()
    actors = [
        processes.Process(target=read_as_an_actor, args=(data, size, begin, done, leave)) for _ in range(2)
    ]
    for actor in actors:
        actor.start()
    grown = [done.get(timeout=600) for _ in actors]
    leave.set()
    for actor in actors:
        actor.join()
    return sum(own for own, _ in grown), sum(share for _, share in grown)


def ratios(theirs: list[float], mine: list[float]) -> str:
    found = [their / my for their, my in zip(theirs, mine, strict=True)]
    return f"**{statistics.median(found):.1f}** | {min(found):.1f} – {max(found):.1f} | {len(found)}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="a folder of class folders")
    parser.add_argument("--images", type=int, default=2000, help="how many to draw where there is no --data")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--epochs", type=int, default=5, help="later epochs that are timed")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FINETUNE_SEARCH_CACHE"] = f"{folder}/cache"
        data = (
            options.data.absolute()
            if options.data
            else draw_photographs(Path(folder) / "photos", options.images)
        )
        batches = loader(data, options.size, cores)
        images = len(batches.dataset)
        seconds_of_loader(batches)  # files into the page cache, workers started: for both
        began = time.perf_counter()
        store, split = open_split(data, options.size)
        building = time.perf_counter() - began
        first = building + seconds_of_split(split, 0)
        theirs, mine = [], []
        for epoch in range(options.epochs):
            theirs.append(seconds_of_loader(batches))
            mine.append(seconds_of_split(split, epoch + 1))
        del batches
        size = sum(file.nbytes for file in store.files.values())
        own, share = memory_of_two_actors(data, options.size)
        print("| figure | value | range | n |\n|---|---|---|---|")
        print(f"| later epochs: store ÷ ImageFolder, images a second | {ratios(theirs, mine)} |")
        print(
            "| first epoch, decoding included: store ÷ a warm epoch of ImageFolder "
            f"| {statistics.median(theirs) / first:.2f} | – | 1 |"
        )
        print(
            "| memory that two processes have of their own after reading all "
            f"of a {size / 1e6:.0f} MB store | {own / 1e6:.0f} MB | – | 1 |"
        )
        print(
            f"\n{images} images of {options.size} px, {size / images / 1e3:.0f} kB each in the store, batches of "
            f"{BATCH}, {cores} cores; {images / statistics.median(theirs):.0f} images a second against "
            f"{images / statistics.median(mine):.0f}; decoding all took {building:.1f} s; the store's pages count "
            f"{share / 1e6:.0f} MB by the kernel's share."
        )


if __name__ == "__main__":
    main()

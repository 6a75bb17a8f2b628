"""Builds of a store that are killed at random moments."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.trainables.data.pictures import write_classes
from tests.trainables.data.test_picture_store import assert_right, opened

BUILD = """
import sys
from trainables.data.preprocessing import Preprocessing
from trainables.data.sources.folder import Folder
from trainables.data.store import open_store
print("begins", flush=True)
store = open_store(sys.argv[1], Folder(sys.argv[1]), Preprocessing(size=48, crop_pct=0.75))
print("done", flush=True)
"""


def start(photos):
    process = subprocess.Popen([sys.executable, "-c", BUILD, str(photos)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    return process


@pytest.mark.chaos
def test_killing_a_build_at_twenty_moments_never_leaves_a_store_that_reads_wrong(tmp_path, monkeypatch):
    monkeypatch.setenv("FINETUNE_SEARCH_CACHE", str(tmp_path / "cache"))
    photos = write_classes(tmp_path / "photos", classes=4, images=150)
    began = time.monotonic()
    process = start(photos)
    process.communicate(timeout=120)
    whole = time.monotonic() - began  # with the start of an interpreter: later kills find a store
    store = opened(photos)
    chance = random.Random(0)
    interrupted = 0
    for round_ in range(20):
        victim = photos / "class_0" / f"{round_:02}.png"
        victim.write_bytes((photos / "class_1" / f"{100 + round_}.png").read_bytes())
        for left in store.layout.stores():  # else only what has changed would be decoded, in no time
            for path in left.iterdir():
                path.unlink()
            left.rmdir()
        process = start(photos)
        time.sleep(chance.uniform(0, 0.6 * whole))
        os.kill(process.pid, signal.SIGKILL)
        out, _ = process.communicate()
        interrupted += "done" not in out
        assert all((left / "facts.npz").is_file() for left in store.layout.stores())
        if round_ % 4 == 0 or store.layout.stores():
            assert_right(opened(photos), photos)
            assert not list(store.layout.folder.glob("building-*"))
    assert interrupted >= 5, "most kills came too late to interrupt anything"

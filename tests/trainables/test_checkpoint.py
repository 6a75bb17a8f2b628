import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables import checkpoint

ROOT = Path(__file__).parents[2]


def state(epoch: int) -> dict:
    return {"epoch": epoch, "model": {"weight": torch.full((64, 64), float(epoch))}, "best": {"score": 0.5}}


def same(one, other) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_what_was_saved_is_loaded_and_no_other_file_is_left(tmp_path):
    path = tmp_path / "deep" / "study" / "last.pt"
    for epoch in (1, 2):
        checkpoint.save(path, state(epoch))
        assert same(checkpoint.load(path), state(epoch))
        assert list(path.parent.iterdir()) == [path]


def test_where_there_is_none_none_is_loaded(tmp_path):
    assert checkpoint.load(tmp_path / "last.pt") is None
    assert checkpoint.load(tmp_path) is None
    torch.save([1, 2], tmp_path / "list.pt")
    assert checkpoint.load(tmp_path / "list.pt") is None


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoints") / "whole.pt"
    checkpoint.save(path, state(3))
    return path, path.read_bytes()


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_torn_file_is_none(whole, data):
    path, content = whole
    broken = path.with_name("torn.pt")
    broken.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    assert checkpoint.load(broken) is None


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=400))
def test_random_bytes_are_none(whole, content):
    broken = whole[0].with_name("random.pt")
    broken.write_bytes(content)
    assert checkpoint.load(broken) is None


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_is_seen_or_does_not_matter(whole, data):
    """Torch alone loads two of three such files with wrong weights and says nothing."""
    path, content = whole
    position, bit = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(0, 7))
    flipped = bytearray(content)
    flipped[position] ^= 1 << bit
    broken = path.with_name("flipped.pt")
    broken.write_bytes(flipped)
    loaded = checkpoint.load(broken)
    assert loaded is None or same(loaded, state(3))


def test_a_flipped_bit_in_the_weights_is_seen(whole):
    path, content = whole
    flipped = bytearray(content)
    flipped[content.index(torch.full((64,), 3.0).numpy().tobytes()) + 100] ^= 1
    broken = path.with_name("weights.pt")
    broken.write_bytes(flipped)
    assert checkpoint.load(broken) is None
    assert (
        torch.load(broken, weights_only=True)[checkpoint.PACKED]["epoch"] == 3
    )  # so it is ours that sees it


class Burglar:
    """A pickle that runs code where it is loaded without care."""

    def __init__(self, loot: Path) -> None:
        self.loot = loot

    def __reduce__(self):
        return (Path.touch, (self.loot,))


@pytest.mark.parametrize("save", [torch.save, lambda what, path: path.write_bytes(pickle.dumps(what))])
def test_code_in_a_file_is_not_run(save, tmp_path):
    path, loot = tmp_path / "last.pt", tmp_path / "loot"
    save({"epoch": Burglar(loot)}, path)
    assert checkpoint.load(path) is None
    assert not loot.exists()
    if save is torch.save:
        torch.load(path, weights_only=False)  # the proof that it would have
        assert loot.exists()


# --- interrupted ---------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys, torch
from pathlib import Path
from trainables import checkpoint

def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)

module, name = sys.argv[2].split(".")
setattr({"os": os, "torch": torch}[module], name, die)
checkpoint.save(Path(sys.argv[1]), {"epoch": 2})
"""


@pytest.mark.parametrize("moment", ["os.fsync", "os.replace"])
def test_a_kill_before_the_renaming_leaves_the_old_one(moment, tmp_path):
    path = tmp_path / "last.pt"
    checkpoint.save(path, state(1))
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path), moment], cwd=ROOT, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert same(checkpoint.load(path), state(1))
    checkpoint.save(path, state(2))  # and what it left behind is in nobody's way
    assert same(checkpoint.load(path), state(2))


def test_a_full_disk_leaves_the_old_one_and_no_rubbish(tmp_path, monkeypatch):
    path = tmp_path / "last.pt"
    checkpoint.save(path, state(1))

    def full(what, file):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(path, state(2))
    assert same(checkpoint.load(path), state(1))
    assert list(tmp_path.iterdir()) == [path]


def test_whoever_reads_while_it_is_written_gets_a_whole_one(tmp_path):
    path = tmp_path / "last.pt"
    checkpoint.save(path, state(0))
    done = threading.Event()
    seen = []

    def read():
        while not done.is_set():
            seen.append(checkpoint.load(path))

    reader = threading.Thread(target=read)
    reader.start()
    end = time.monotonic() + 1.0
    epoch = 0
    while time.monotonic() < end or len(seen) < 10:
        epoch += 1
        checkpoint.save(path, state(epoch))
    done.set()
    reader.join()
    assert all(loaded is not None and same(loaded, state(loaded["epoch"])) for loaded in seen)
    assert len({loaded["epoch"] for loaded in seen}) > 1


ON_A_SMALL_DISK = """
import resource, sys
import torch
from pathlib import Path
from trainables import checkpoint
path, size = Path(sys.argv[1]), int(sys.argv[2])
checkpoint.save(path, {"epoch": 1, "weights": torch.zeros(4)})
resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
try:
    checkpoint.save(path, {"epoch": 2, "weights": [torch.rand(100, 100) for _ in range(40)]})
except OSError as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize("size", [1, 3000, 100_000, 1_500_000])
def test_a_disk_that_fills_is_an_error_and_not_the_end_of_the_process(tmp_path, size):
    """Torch's own writer ends the process when its file tells it of an error."""
    path = tmp_path / "last.pt"
    done = subprocess.run(
        [sys.executable, "-c", ON_A_SMALL_DISK, path, str(size)], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "OSError\n"), done.stderr
    assert checkpoint.load(path)["epoch"] == 1
    assert list(tmp_path.iterdir()) == [path]

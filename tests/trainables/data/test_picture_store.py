"""The store: whole or not there, made again when its source changes, shared without a copy."""

from __future__ import annotations

import errno
import multiprocessing
import os
import pickle
import shutil
import threading
from collections import namedtuple

import numpy as np
import pytest
import ray.cloudpickle

from spaces import InputError
from tests.trainables.data.pictures import SIDE, encoded, scene, write, write_classes
from trainables.data.decoding import decode
from trainables.data.preprocessing import Preprocessing
from trainables.data.sources.folder import Folder
from trainables.data.sources.source import Source
from trainables.data.store import build as building
from trainables.data.store import open_store
from trainables.data.store import store as stores
from trainables.data.store.pictures import Pictures

WANTED = Preprocessing(size=48, crop_pct=0.75)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FINETUNE_SEARCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def photos(tmp_path, cache):
    return write_classes(tmp_path / "photos", classes=3, images=10)


@pytest.fixture
def decoded(monkeypatch):
    """How many images have been decoded so far."""
    seen = []

    def counting(raw, preprocessing):
        seen.append(1)
        return decode(raw, preprocessing)

    monkeypatch.setattr(building, "decode", counting)
    return seen


def opened(photos, **more):
    return open_store(str(photos), Folder(photos), WANTED, **more)


def arrived(data):
    """What another process would have of a pickle of our own."""
    return pickle.loads(data)  # noqa: S301


def assert_right(store, photos):
    """Every picture is the one that decoding its file gives now."""
    assert len(store.listing)
    for image, key in enumerate(store.listing.keys):
        pixels, row = decode((photos / key).read_bytes(), WANTED)
        if pixels is None:
            assert store.facts.fault[image] == row["fault"]
        else:
            assert np.array_equal(store.picture(image), pixels)
            assert store.facts.digest[image] == row["digest"]
            assert store.facts.phash[image] == row["phash"]


def test_a_store_holds_what_the_files_hold(photos, decoded):
    told, steps = [], []
    store = opened(photos, progress=lambda done, total: steps.append((done, total)), tell=told.append)
    assert_right(store, photos)
    assert told == ["decoding 30 images into 1 MB (once)"]
    assert steps[-1] == (30, 30)
    assert len(decoded) == 30
    assert store.files["pool"].shape == (30, SIDE, SIDE, 3)
    again = opened(photos, tell=told.append)
    assert len(decoded) == 30
    assert len(told) == 1
    assert again.contents == store.contents


def test_each_split_of_the_source_has_a_file_of_its_own(tmp_path, cache):
    for split, images in (("train", 4), ("test", 2)):
        write_classes(tmp_path / "photos" / split, classes=2, images=images)
    store = opened(tmp_path / "photos")
    assert {name: len(file) for name, file in store.files.items()} == {"pool": 8, "test": 4}
    assert_right(store, tmp_path / "photos")


def test_new_changed_and_removed_images_are_seen_and_only_they_are_decoded(photos, decoded):
    first = opened(photos)
    changed, new, gone = (
        photos / "class_1" / "03.png",
        photos / "class_2" / "new.png",
        photos / "class_0" / "00.png",
    )
    before = os.stat(changed)
    data = bytearray(encoded(scene(77)))
    changed.write_bytes(data)
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))  # a copying tool that keeps times
    write(new, encoded(scene(78)))
    gone.unlink()
    second = opened(photos)
    assert second.contents != first.contents
    assert len(decoded) == 32
    assert len(second.listing) == 30
    assert_right(second, photos)


def test_files_that_were_only_touched_are_not_decoded_again(photos, decoded):
    first = opened(photos)
    for path in photos.rglob("*.png"):
        os.utime(path)
    second = opened(photos)
    assert second.contents == first.contents
    assert len(decoded) == 30


def test_an_image_that_moves_to_another_class_needs_no_decoding(photos, decoded):
    opened(photos)
    os.rename(photos / "class_0" / "00.png", photos / "class_1" / "moved.png")
    store = opened(photos)
    assert len(decoded) == 30
    assert_right(store, photos)
    assert np.bincount(store.listing.labels).tolist() == [9, 11, 10]


def test_other_preprocessing_is_another_store(photos):
    small = open_store(str(photos), Folder(photos), Preprocessing(size=24, crop_pct=1.0))
    assert small.layout != opened(photos).layout
    assert small.picture(0).shape == (24, 24, 3)


def test_a_store_without_its_full_length_is_made_again(photos, decoded):
    store = opened(photos)
    path = store.layout.whole(store.contents) / "pool.u8"
    os.truncate(path, path.stat().st_size // 2)
    assert_right(opened(photos), photos)
    assert len(decoded) == 60
    shutil.rmtree(path.parent)
    assert_right(opened(photos), photos)


def test_broken_files_are_counted_and_take_no_other_down(photos):
    write(photos / "class_0" / "broken.png", b"not a png")
    write(photos / "class_0" / "short.jpg", encoded(scene(1, 200), "JPEG")[:900])
    store = opened(photos)
    assert_right(store, photos)
    assert sorted(store.facts.fault[~store.facts.readable].tolist()) == ["truncated", "unreadable"]


# -- sharing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pickles", [pickle, ray.cloudpickle])
def test_pictures_travel_as_where_they_lie(photos, pickles):
    pictures = opened(photos).files["pool"]
    data = pickles.dumps(pictures)
    assert len(data) < 2000
    copy = arrived(data)
    assert isinstance(copy, Pictures)
    assert np.array_equal(copy, pictures)
    assert not copy.flags.writeable


def test_a_part_of_them_travels_as_what_it_is(photos):
    pictures = opened(photos).files["pool"]
    for part in (pictures[3], pictures[2:5], pictures[[1, 7]], pictures + 0):
        copy = arrived(pickle.dumps(part))
        assert np.array_equal(copy, part)
        assert not isinstance(copy, np.memmap)


def test_another_node_builds_its_own(photos, tmp_path, monkeypatch):
    store = opened(photos)
    data = pickle.dumps(store.files["pool"])
    monkeypatch.setenv("FINETUNE_SEARCH_CACHE", str(tmp_path / "other node"))
    assert np.array_equal(arrived(data), store.files["pool"])
    monkeypatch.setenv("FINETUNE_SEARCH_CACHE", str(tmp_path / "third node"))
    write(photos / "class_0" / "00.png", encoded(scene(99)))
    with pytest.raises(InputError, match="must be the same on each machine"):
        arrived(data)
    shutil.rmtree(photos)
    with pytest.raises(InputError):
        arrived(data)


class Counting(Source):
    """Images from numbers, without a stamp; counts how often it is read."""

    def __init__(self, images=40):
        self.images, self.reads = images, 0
        self._lock = threading.Lock()

    def samples(self):
        from trainables.data.listing import Sample

        return (Sample(str(n), str(n % 2)) for n in range(self.images))

    def read(self, key):
        with self._lock:
            self.reads += 1
        return np.full((16, 16), int(key), np.uint8)


def test_a_source_without_stamps_is_read_to_see_whether_it_changed(cache, decoded):
    source = Counting()
    first = open_store("counting", source, WANTED)
    assert (source.reads, len(decoded)) == (40, 40)
    second = open_store("counting", source, WANTED)
    assert second.contents == first.contents
    assert (source.reads, len(decoded)) == (80, 40)


# -- two at once, no room, no leave ---------------------------------------------------------------------


def _open_in_a_process(photos, done):
    store = open_store(str(photos), Folder(photos), WANTED)
    done.put((store.contents, int(sum(int(store.picture(i).sum()) for i in range(len(store.listing))))))


def test_two_that_build_at_once_get_one_store(photos):
    processes = multiprocessing.get_context("spawn")
    done = processes.Queue()
    started = [processes.Process(target=_open_in_a_process, args=(photos, done)) for _ in range(3)]
    for process in started:
        process.start()
    found = [done.get(timeout=120) for _ in started]
    for process in started:
        process.join()
    assert len(set(found)) == 1
    store = opened(photos)
    assert store.contents == found[0][0]
    assert_right(store, photos)
    assert len(store.layout.stores()) == 1


def test_a_second_builder_says_what_it_waits_for(photos, monkeypatch):
    from filelock import FileLock

    store = opened(photos)
    write(photos / "class_0" / "new.png", encoded(scene(5)))
    lock = FileLock(store.layout.lock)
    lock.acquire()
    told = []

    def tell(text):
        told.append(text)
        lock.release()

    opened(photos, tell=tell)
    assert told[0] == "waiting for another process that decodes the same images"


def test_a_disk_without_room_is_known_before_anything_is_read(photos, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(building.shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 10**6, 10**6))
    with pytest.raises(
        InputError, match=r"need 1 MB on the disk .* but 1 MB are free; set FINETUNE_SEARCH_CACHE"
    ):
        opened(photos)


@pytest.mark.parametrize("when", ["reserving", "writing"])
def test_a_disk_that_fills_up_meanwhile_is_a_sentence_and_leaves_nothing(photos, cache, monkeypatch, when):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(building.os, "posix_fallocate" if when == "reserving" else "pwrite", full)
    with pytest.raises(InputError, match="decoded images need"):
        opened(photos)
    assert not list(cache.rglob("*.u8"))
    monkeypatch.undo()


def test_a_cache_that_cannot_be_written_is_a_sentence(photos, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FINETUNE_SEARCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="the cache must be a folder that can be written"):
        opened(photos)


def test_an_interrupted_build_leaves_nothing(photos, cache):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opened(photos, progress=interrupt)
    assert not list(cache.rglob("*.u8"))
    assert_right(opened(photos), photos)


def test_what_was_remembered_is_not_found_out_again(photos):
    store = opened(photos)
    made = []

    def make():
        made.append(1)
        return np.arange(30)

    assert np.array_equal(store.remembered("order", make), np.arange(30))
    assert np.array_equal(opened(photos).remembered("order", make), np.arange(30))
    assert len(made) == 1


def test_stamps_of_long_ago_are_forgotten(photos, monkeypatch):
    store = opened(photos)
    for number in range(100):
        stores._remember(store.layout, f"stamp {number}", store.contents)
    assert len(stores.read_json(store.layout.stamps)) == 64

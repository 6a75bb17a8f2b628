"""Where checkpoints are: alike on a disk and at an address, and never half there."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
import torch

from search.addresses import has_secret, without_secret
from search.checkpoints import Checkpoints
from search.cleaning import removable
from search.errors import StudyError
from search.places import place_at
from search.places.bucket import Bucket
from search.store.databases import prepare
from search.store.layout import Store
from spaces import InputError
from tests.search.servers import object_store

STATE = {"owner": "a", "state": {"w": torch.arange(6.0).reshape(2, 3)}, "records": [{"epoch": 1}]}


@pytest.fixture(scope="session")
def server():
    """For as long as the process: it opens an address once, and keeps to the server that it found there."""
    with object_store() as address:
        yield address


@pytest.fixture
def bucket(server, monkeypatch):
    """Its name; what it needs to be opened is in the environment, as for users."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nobody's")
    return "finetune"


@pytest.fixture(params=["disk", "memory", "file", "s3"])
def place(request, tmp_path):
    if request.param == "s3":
        return place_at(f"s3://{request.getfixturevalue('bucket')}/{uuid.uuid4().hex}")
    if request.param == "file":  # written aside and renamed, as at sftp://
        return Bucket(f"file://{tmp_path}/checkpoints")
    addresses = {"disk": str(tmp_path / "checkpoints"), "memory": f"memory://{uuid.uuid4().hex}"}
    return place_at(addresses[request.param])


def test_what_is_saved_is_loaded(place):
    trial = place.at("digits", "7")
    assert trial.address == f"{place.address}/digits/7"
    assert trial.load("last.pt") is None
    assert place.files() == {}
    trial.save("last.pt", STATE)
    trial.save("last.pt", {**STATE, "owner": "b"})
    loaded = trial.load("last.pt")
    assert loaded["owner"] == "b"
    assert torch.equal(loaded["state"]["w"], STATE["state"]["w"])
    assert list(place.files()) == ["digits/7/last.pt"]
    assert place.files()["digits/7/last.pt"] > 500


def test_what_is_not_whole_is_not_there(place):
    place.save("last.pt", STATE)
    whole = place.get("last.pt")
    place.put("last.pt", whole[: len(whole) // 2])
    assert place.load("last.pt") is None
    flipped = bytearray(whole)
    flipped[whole.index(torch.arange(6.0).numpy().tobytes()) + 1] ^= 1
    place.put("last.pt", bytes(flipped))
    assert place.load("last.pt") is None


def test_what_is_removed_is_gone(place):
    place.at("1").put("best.pt", b"x")
    place.at("1").put("last.pt", b"x")
    place.at("2").put("best.pt", b"xy")
    place.at("1").remove("last.pt", "never there")
    assert place.files() == {"1/best.pt": 1, "2/best.pt": 2}
    place.at("1").clear()
    place.at("1").clear()
    assert place.files() == {"2/best.pt": 2}
    assert place.get("1/best.pt") is None


def test_nothing_is_left_of_a_file_that_could_not_be_written(tmp_path, monkeypatch):
    place = Bucket(f"file://{tmp_path}/checkpoints")
    place.put("last.pt", b"old")

    def breaks(*paths: str) -> None:
        raise RuntimeError("the line was cut")  # as packages say it that have errors of their own

    monkeypatch.setattr(place._fs, "mv", breaks)
    with pytest.raises(OSError, match="the line was cut"):
        place.put("last.pt", b"new")
    assert place.files() == {"last.pt": 3}
    assert place.get("last.pt") == b"old"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nowhere://x/y", "Protocol not known: nowhere"),
        ("hdfs+x://a", "Protocol not known"),
        ("https://host/x", "a file might be left half written there"),
    ],
)
def test_an_address_that_nobody_can_open_is_refused(url, why):
    with pytest.raises(InputError, match=f"checkpoints must be at a path, .*{why}"):
        place_at(url)


def test_a_bucket_that_is_not_there_is_said_before_any_trial(bucket, tmp_path):
    store = Store(tmp_path, elsewhere="s3://no-such-bucket/studies")
    with pytest.raises(
        StudyError, match=r"cannot be written to s3://no-such-bucket/studies/digits: .*bucket"
    ):
        Checkpoints(store, "digits").mark("uid")


def test_a_place_of_several_ledgers_is_nobodys_twice(tmp_path):
    """Two machines whose ledgers lie at the same path, and a folder of something else."""
    shared = f"memory://{uuid.uuid4().hex}"
    store = Store(tmp_path, elsewhere=shared)
    prepare(store)
    Checkpoints(store, "digits").mark("one")
    Checkpoints(store, "digits").mark("one")  # it goes on
    with pytest.raises(StudyError, match=r"another one of the same name keeps its checkpoints there"):
        Checkpoints(store, "digits").mark("two")
    place_at(shared).at("imagenet").put("1.png", b"picture")
    assert [part.place.address for part in removable(store)] == [
        f"{shared}/digits"
    ]  # of a study that is gone
    other = Checkpoints(replace(store, optuna="sqlite:////elsewhere/optuna.db"), "other")
    other.mark("three")
    assert [part.place.address for part in removable(store)] == [f"{shared}/digits"]


@pytest.mark.parametrize(
    ("address", "bare", "secret"),
    [
        ("postgresql://me:pa/ss@host/db", "postgresql://host/db", True),
        ("postgresql://me@host/db", "postgresql://host/db", False),
        (
            "postgresql://host/db?user=me&password=s3cret&x=1",
            "postgresql://host/db?user=me&password=...&x=1",
            True,
        ),
        ("https://token@mlflow/", "https://mlflow/", True),
        ("s3://key:word@bucket/a", "s3://bucket/a", True),
        ("s3://bucket/a@b", "s3://bucket/a@b", False),
        ("sqlite:////home/me:x@y/a.db", "sqlite:////home/me:x@y/a.db", False),
        ("http://host:5000", "http://host:5000", False),
    ],
)
def test_what_is_secret_in_an_address(address, bare, secret):
    assert (without_secret(address), has_secret(address)) == (bare, secret)

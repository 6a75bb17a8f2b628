from __future__ import annotations

from filelock import FileLock


def checkpoints(store, name, *files):
    folder = store.root / "checkpoints" / name / "0"
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).write_bytes(bytes(1500))
    return folder


def test_nothing_goes_before_it_was_shown(command, ledger, store):
    assert command("clean")[:2] == (0, "nothing to remove\n")
    strange = checkpoints(store, "deleted", "last.pt", "best.pt")
    known = checkpoints(store, "begun", "last.pt", "last.pt.77-1.tmp")
    code, out, err = command("clean")
    assert (code, err) == (0, "")
    assert "3.0 kB  checkpoints of a study that the ledger does not know" in out
    assert "1.5 kB  a checkpoint that was never finished" in out
    assert out.splitlines()[-1] == "4.5 kB in all; nothing was removed: add --yes"
    assert strange.exists()
    code, out, _ = command("clean", "--yes")
    assert (code, out.splitlines()[-1]) == (0, "removed 4.5 kB")
    assert not strange.exists()
    assert [path.name for path in known.iterdir()] == ["last.pt"]
    assert command("clean", "--yes")[:2] == (0, "nothing to remove\n")


def test_what_another_ledger_knows_is_not_ones_own(command, ledger, store, monkeypatch):
    """Checkpoints of studies that are on a server, and a shell in which nobody says so."""
    theirs = checkpoints(store, "elsewhere", "last.pt")
    (theirs.parent / "ledger").write_text("postgresql+psycopg2://host/studies")
    mine = checkpoints(store, "mine", "last.pt")
    (mine.parent / "ledger").write_text(store.ledger_name)
    code, out, _ = command("clean", "--yes")
    assert (code, out.splitlines()[-1]) == (0, "removed 1.6 kB")
    assert theirs.exists()
    assert not mine.exists()
    store.optuna_db.unlink()
    checkpoints(store, "known", "last.pt")
    assert command("clean", "--yes")[:2] == (0, "nothing to remove\n")


def test_a_ledgers_name_keeps_its_password():
    from search.store.layout import Store

    secret = Store("mlruns", optuna="postgresql+psycopg2://user:word@host:5/studies")
    assert secret.ledger_name == "postgresql+psycopg2://host:5/studies"


def test_what_a_running_study_writes_is_left_alone(command, ledger, store):
    writing = checkpoints(store, "begun", "last.pt.77-1.tmp")
    lock = store.study_lock("begun")
    lock.parent.mkdir(exist_ok=True)
    strange = checkpoints(store, "deleted", "last.pt")
    with FileLock(lock), FileLock(store.study_lock("deleted")):
        assert command("clean")[:2] == (0, "nothing to remove\n")
    assert list(writing.iterdir())
    assert list(strange.iterdir())


def test_a_study_without_an_answer_keeps_its_weights(refused, ledger):
    assert refused("clean", "begun", "--yes").endswith("but 'begun' has none yet")
    assert refused("clean", "began").startswith("there is no study 'began'")


def test_caches_go_when_they_are_asked_for(command, store, tmp_path, monkeypatch):
    monkeypatch.setenv("FINETUNE_SEARCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "stores").mkdir(parents=True)
    (tmp_path / "cache" / "stores" / "pool.u8").write_bytes(bytes(5000))
    assert command("clean")[:2] == (0, "nothing to remove\n")
    code, out, _ = command("clean", "--cache", "--yes")
    assert (code, out.splitlines()[-1]) == (0, "removed 5.0 kB")
    assert list((tmp_path / "cache").iterdir()) == []

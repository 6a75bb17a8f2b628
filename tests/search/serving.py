"""`finetune-search ui` over a store, as a user starts it; whatever happens, nothing of it stays."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from search.store.layout import Store


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextlib.contextmanager
def ui(store: Store, port: int, said: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command; what it says goes to the file `said`."""
    with said.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "search", "ui", "--port", str(port), "--store", str(store.root)],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        yield process
    finally:
        # MLflow is in a session of its own, which a killed parent would leave behind.
        left = [psutil.Process(process.pid)] if process.poll() is None else []
        left += [child for one in left for child in one.children(recursive=True)]
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=15)
        for one in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()

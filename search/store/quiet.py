"""MLflow without its talk: no usage reports, no log lines for what this project handles itself."""

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class _NotThisThread(logging.Filter):
    """Drops the records of the thread that made it, so that a user's own use of MLflow is still heard."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._thread


@contextmanager
def hushed() -> Iterator[None]:
    """Silences MLflow's handler (it serves alembic and SQLAlchemy too) for this thread, within this block.

    Imports mlflow, which takes about two seconds the first time in a process.
    """
    # Set before the import, which is when MLflow reads them; what the user has set stays.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    # SQLAlchemy 2.1 warns of what MLflow 3.17 does at its import. Python hides that by default, but where
    # warnings are errors MLflow's tables would be unusable for the rest of the process.
    warnings.filterwarnings("ignore", r"The ``noload`` loader strategy", DeprecationWarning)
    # The import gives MLflow's loggers their handler, so it has to come first.
    import mlflow  # noqa: F401

    handlers = list(logging.getLogger("mlflow").handlers)
    silence = _NotThisThread()
    for handler in handlers:
        handler.addFilter(silence)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(silence)

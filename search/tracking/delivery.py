"""Sees to it that patches arrive: tries again while MLflow is away, then keeps them on the disk."""

import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from search.store.layout import Store
from search.store.patience import is_full, sentence
from search.store.quiet import hushed
from search.tracking.patch import RunPatch, merge
from search.tracking.spool import Spool

if TYPE_CHECKING:
    from search.tracking.writer import MlflowWriter

PATIENCE_SECONDS = 60.0
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 8.0


class Delivery:
    """Writes patches in order; lives in one thread.

    Args:
        store: Whose MLflow.
        study: The study's name.
        phase: The study's phase.
        patience: Seconds for which a failed write is tried again before it is spooled.
        uid: The study's own, whatever its name.
    """

    def __init__(self, store: Store, study: str, phase: str, patience: float, uid: str) -> None:
        self._store, self._study, self._phase, self._patience = store, study, phase, patience
        self._uid = uid
        self._spool = Spool(store.spool(study, phase))
        self._writer: MlflowWriter | None = None
        # Runs in the spool; None: it has not been looked into yet.
        self._lacking: set[int | None] | None = None
        self._unkept: list[RunPatch] = []  # the disk was full: neither written nor in the spool
        self._refused: list[RunPatch] = []
        self._away = False
        self._problem = ""

    @property
    def kept(self) -> int:
        """How many runs lack something."""
        return len((self._lacking or set()).union(patch.number for patch in (*self._unkept, *self._refused)))

    @property
    def run_ids(self) -> Mapping[int | None, str]:
        """The runs' ids by trial number; None is the study's own run."""
        return {} if self._writer is None else self._writer.run_ids

    def take_mended(self) -> int:
        """How many runs of finished trials lacked something since this was asked last, and have it now."""
        if self._writer is None:
            return 0
        count, self._writer.mended = self._writer.mended, 0
        return count

    def complaint(self) -> str | None:
        """One sentence on what could not be written and where it is kept, or None."""
        if not self.kept:
            return None
        return (
            f"{self.kept} runs of {self._study} could not be written to MLflow at {self._store.mlflow_uri} "
            f"({self._problem}); what they lack is kept in {self._spool.path} until the study's next start"
        )

    def deliver(self, patches: Sequence[RunPatch]) -> None:
        """Writes what was kept and then what is new, or keeps it: on the disk, for an outage may last for days.

        Raises:
            OSError: If it can neither be written nor kept.
        """
        self._unkept = merge([*self._unkept, *patches])
        if self._away and not self._answers():
            self._keep()
            return
        kept, before = [], self._lacking
        if before is None or before:
            kept, self._refused = self._spool.load(), []  # which are in it
        todo = merge([*kept, *self._unkept])
        runs = len(todo)
        refused = self._push(todo)
        self._refused += refused
        self._lacking = {patch.number for patch in kept}
        if len(todo) == runs:
            self._keep()
            return
        self._lacking = {patch.number for patch in todo}
        self._unkept = todo
        if todo or kept or refused:
            self._spool.keep(merge([*todo, *self._refused]))
        self._unkept = []

    def _keep(self) -> None:
        """Adds to the spool what is not in it."""
        if self._unkept:
            self._spool.append(self._unkept)
        self._lacking = (self._lacking or set()).union(patch.number for patch in self._unkept)
        self._unkept = []

    def _answers(self) -> bool:
        """Whether MLflow can be read again: what is kept for it need not be read from the disk before."""
        try:
            with hushed():
                self._open().look()
        except Exception as error:
            self._problem = sentence(error)
            return False
        return True

    def _push(self, todo: list[RunPatch]) -> list[RunPatch]:
        """Takes from `todo` what gets written; returns what MLflow will never take."""
        refused = []
        deadline = time.monotonic() + (0.0 if self._away else self._patience)
        wait = _FIRST_WAIT
        while todo:
            try:
                # Each time: a failed import of MLflow is an outage like any other.
                with hushed():
                    writer = self._open()
                    while todo:
                        writer.write(todo[0])
                        del todo[0]
                self._away = False
            except Exception as error:
                self._problem = sentence(error)
                if self._writer is not None:
                    self._writer.forget()
                    if _is_refusal(error):
                        refused.append(todo.pop(0))
                        continue
                if time.monotonic() >= deadline or is_full(self._problem):
                    # From now on each write is tried once, until one succeeds.
                    self._away = True
                    break
                time.sleep(min(wait, max(0.0, deadline - time.monotonic())))
                wait = min(2 * wait, _LONGEST_WAIT)
        return refused

    def _open(self) -> "MlflowWriter":
        if self._writer is None:
            from search.tracking.writer import MlflowWriter

            if self._store.mlflow_uri.startswith("http"):
                # MLflow's own patience, minutes a call, would hide an outage from ours.
                os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
                os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
            self._writer = MlflowWriter(self._store, self._study, self._phase, self._uid)
        return self._writer


def _is_refusal(error: Exception) -> bool:
    """Whether trying again is of no use: MLflow finds the values wrong, or they cannot even be sent."""
    if getattr(error, "error_code", None) == "INVALID_PARAMETER_VALUE":
        return True
    return isinstance(error, (TypeError, ValueError, LookupError, AttributeError)) and not isinstance(
        error, OSError
    )

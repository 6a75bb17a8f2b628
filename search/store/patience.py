"""Waits for a ledger that is away, its server restarts say, and for a disk that is full to have room."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from search.errors import StudyError

T = TypeVar("T")
AWAY = 900.0
"""Seconds for which a ledger that is away is waited for."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0
_FULL = ("disk is full", "no space left")


class Patience:
    """Tries again what a ledger that is away, or a full disk, has not taken.

    Args:
        seconds: For how long.
        tell: Told in a sentence what is waited for, and that it is there again.
        check: Called before anything else is done there; fails if the ledger is away, or is another driver's by now.
        sleep: Waits.
        clock: Seconds.
    """

    def __init__(
        self,
        seconds: float = 0.0,
        tell: Callable[[str], None] = lambda text: None,
        check: Callable[[], None] = lambda: None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds, self._tell, self._check, self._sleep, self._clock = seconds, tell, check, sleep, clock

    def of(self, act: Callable[[], T], found: Callable[[], T | None] = lambda: None) -> T:
        """What `act` gives, be it later.

        Args:
            act: Reads or writes.
            found: What an earlier attempt has done of which nobody knows whether it was heard; none if nothing.

        Raises:
            StudyError: The ledger stays away, the disk full, or another driver has taken the study.
            Exception: Anything else that is wrong with what is read or written.
        """
        began, wait, again, back = self._clock(), FIRST_WAIT, False, ""
        while True:
            try:
                self._check()
                done = found() if again else None
                done = act() if done is None else done
            except StudyError:
                raise
            except Exception as error:
                said = sentence(error)
                full = is_full(said)
                if not full and not is_away(error):
                    raise
                waited = f"for {self._clock() - began:.0f} s "
                if self._clock() - began >= self._seconds:
                    raise StudyError(
                        f"the disk must have room, but had none {waited}({said}); free some, and the same command "
                        "goes on"
                        if full
                        else f"the ledger must be there, but was away {waited}({said}); once it is back, the same "
                        "command goes on"
                    ) from error
                if not again:
                    self._tell(
                        f"the disk has no room ({said}); the study waits until it has some"
                        if full
                        else f"the ledger is away ({said}); trials go on and what they tell is kept until it is back"
                    )
                again, back = True, "the disk has room again" if full else "the ledger is back"
                self._sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)
            else:
                if again:
                    self._tell(f"{back} after {self._clock() - began:.0f} s")
                return done


def is_full(said: str) -> bool:
    """Whether a database's, or the system's, words are those for a disk without room."""
    return any(words in said.lower() for words in _FULL)


def is_away(error: BaseException) -> bool:
    """Whether a storage's error says that nobody was there to read or write, rather than what is wrong with it."""
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

    found: BaseException | None = error
    while found is not None and not isinstance(found, DBAPIError):
        found = found.__cause__
    if found is None or type(found.orig).__module__.startswith("sqlite3"):
        return False  # a file is there or it is not; one in use has been waited for by SQLite
    return found.connection_invalidated or isinstance(found, OperationalError | InterfaceError)


def sentence(error: BaseException) -> str:
    """The first line of what lies at the bottom of an error, without its full stop."""
    # MLflow wraps SQLAlchemy's error, which wraps the database's: only that one says "database is locked".
    while cause := getattr(error, "orig", None) or error.__cause__:
        error = cause
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(". ")

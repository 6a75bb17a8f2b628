"""Which file of a store lies where. Nothing here touches the disk."""

import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from search.addresses import without_secret
from search.places import Place, place_at
from spaces.errors import InputError

STORE_VARIABLE = "FINETUNE_SEARCH_STORE"
OPTUNA_VARIABLE, MLFLOW_VARIABLE = "FINETUNE_SEARCH_OPTUNA", "FINETUNE_SEARCH_MLFLOW"
CHECKPOINTS_VARIABLE = "FINETUNE_SEARCH_CHECKPOINTS"
_STUDY_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_SQLITE = "sqlite:///"


def check_study_name(name: str) -> str:
    """Returns ``name`` if it can be a study's name, which is also a folder's, a run's and a lock's.

    Args:
        name: The name a user gave.

    Raises:
        InputError: If it has other characters than letters, digits, ``.``, ``_`` and ``-``, starts with a
            dot, is empty, or is longer than 100 characters.
    """
    if not _STUDY_NAME.fullmatch(name):
        raise InputError(
            "a study's name must be 1 to 100 letters, digits, `.`, `_` or `-` and not start with a dot, "
            f"but got {name!r}"
        )
    return name


def sqlite_file(url: str) -> Path | None:
    """The file behind an SQLite URL (``sqlite:///file``), or None for any other kind of address."""
    if not url.startswith(_SQLITE) or url == _SQLITE + ":memory:":
        return None
    return Path(os.path.abspath(url.removeprefix(_SQLITE).partition("?")[0]))


def sqlite_url(path: Path) -> str:
    """The URL by which SQLAlchemy, and so Optuna and MLflow, know the SQLite file at ``path``."""
    return f"{_SQLITE}{path}"


@dataclass(frozen=True)
class Store:
    """A folder with all that running leaves behind, and the addresses of the two databases.

    Attributes:
        root: The folder; made absolute.
        optuna: An SQLAlchemy URL for Optuna's storage (``postgresql://…``) in place of ``root/optuna.db``.
        mlflow: An MLflow tracking URI (a server's, or a database's) in place of ``root/mlflow.db``.
        elsewhere: A folder or URL for checkpoints (``s3://bucket/studies``) in place of ``root/checkpoints``.

    Raises:
        InputError: If the folder's path holds ``?``, ``#`` or ``%``, which mean something else in a URL.
    """

    root: Path
    optuna: str | None = None
    mlflow: str | None = None
    elsewhere: str | None = None

    def __post_init__(self) -> None:
        root = Path(os.path.abspath(Path(self.root).expanduser()))
        if any(mark in str(root) for mark in "?#%"):
            raise InputError(f"a store's path must not hold `?`, `#` or `%`, but got {str(root)!r}")
        object.__setattr__(self, "root", root)
        for field in ("optuna", "mlflow"):
            # A relative file would be another one as soon as a process has another working directory.
            url = getattr(self, field)
            if url is not None and (file := sqlite_file(url)) is not None:
                object.__setattr__(self, field, sqlite_url(file))
        if self.elsewhere is not None and "://" not in self.elsewhere:
            object.__setattr__(self, "elsewhere", os.path.abspath(os.path.expanduser(self.elsewhere)))

    @classmethod
    def default(cls) -> "Store":
        """The store at ``$FINETUNE_SEARCH_STORE``, or else ``mlruns`` in the working directory."""
        return cls.at(Path(os.environ.get(STORE_VARIABLE) or "mlruns"))

    @classmethod
    def at(cls, root: Path) -> "Store":
        """The store in a folder.

        ``$FINETUNE_SEARCH_OPTUNA`` and ``$FINETUNE_SEARCH_MLFLOW`` name other databases,
        ``$FINETUNE_SEARCH_CHECKPOINTS`` another place for checkpoints.
        """
        names = (OPTUNA_VARIABLE, MLFLOW_VARIABLE, CHECKPOINTS_VARIABLE)
        return cls(root, *(os.environ.get(name) or None for name in names))

    @property
    def optuna_db(self) -> Path:
        """Optuna's database, the ledger, unless ``optuna`` says otherwise."""
        return self.root / "optuna.db"

    @property
    def mlflow_db(self) -> Path:
        """MLflow's database, unless ``mlflow`` says otherwise."""
        return self.root / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        """The folder of MLflow's artifacts."""
        return self.root / "artifacts"

    @property
    def locks(self) -> Path:
        """The folder of lock files."""
        return self.root / "locks"

    @property
    def optuna_url(self) -> str:
        """What Optuna's storage is opened with."""
        return self.optuna or sqlite_url(self.optuna_db)

    @property
    def ledger_name(self) -> str:
        """The ledger's address without what is secret in it."""
        return without_secret(self.optuna_url)

    @property
    def owner(self) -> str:
        """Whose checkpoints are this ledger's, where other ledgers keep theirs beside them."""
        if self.optuna is None and self.elsewhere is not None:
            return f"{self.ledger_name} on {socket.gethostname()}"
        return self.ledger_name

    @property
    def mlflow_uri(self) -> str:
        """What an MLflow client is opened with."""
        return self.mlflow or sqlite_url(self.mlflow_db)

    @property
    def artifact_uri(self) -> str | None:
        """Where MLflow puts artifacts, or None where a server decides that."""
        remote = self.mlflow is not None and self.mlflow.startswith(("http", "databricks"))
        return None if remote else self.artifacts.as_uri()

    def study_lock(self, study: str) -> Path:
        """The lock that the one driver of a study holds."""
        return self.locks / f"study-{check_study_name(study)}.lock"

    @property
    def tables(self) -> Path:
        """The folder of learning curves that were kept for rehearsals."""
        return self.root / "curves"

    @property
    def reports(self) -> Path:
        """The folder of studies' pages."""
        return self.root / "reports"

    @property
    def checkpoints(self) -> Place:
        """Where the checkpoints of all studies are.

        Raises:
            InputError: It is elsewhere, and no filesystem for that address is installed.
        """
        return place_at(self.elsewhere or str(self.root / "checkpoints"))

    def study_checkpoints(self, study: str) -> Place:
        """Where all of a study's checkpoints are."""
        return self.checkpoints.at(check_study_name(study))

    def spool(self, study: str, phase: str = "search") -> Path:
        """The file that keeps what could not be written to MLflow, one JSON object a line."""
        # `@` cannot be in a study's name, so no study's file is another's.
        suffix = "" if phase == "search" else f"@{phase}"
        return self.root / "spool" / f"{check_study_name(study)}{suffix}.jsonl"

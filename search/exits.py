"""Exit codes: 0 done; 2 bad input, with one sentence; 1 anything else. No traceback for a user's own error."""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

import typer

from spaces.errors import InputError

DATABASES = {"sqlite3", "psycopg2", "psycopg", "pymysql", "MySQLdb"}
"""Packages whose errors are a database's."""


def run_as_program(app: typer.Typer, name: str) -> NoReturn:
    """Run a command line and end the process.

    Args:
        app: The commands.
        name: What it is called.
    """
    from search.errors import StudyError

    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # for `package.module:attribute`, as with `python -m search`
    try:
        code = app(prog_name=name, standalone_mode=False)
        sys.stdout.flush()
    except InputError as error:
        _fail(name, str(error), 2)
    except StudyError as error:
        _fail(name, str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        _fail(name, "interrupted; the same command goes on where it stopped", 1)
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # typer's own: a mistyped option
            _fail_usage(name, error)
        root: BaseException = error
        while (below := root.__cause__ or root.__context__) is not None:
            root = below
        if type(root).__module__.partition(".")[0] in DATABASES:
            said = str(root).strip().partition("\n")[0]
            _fail(
                name, f"the databases of the store must be there and whole, but one of them says: {said}", 1
            )
        raise
    sys.exit(code if isinstance(code, int) else 0)


def _fail_usage(name: str, error: Any) -> NoReturn:
    said = str(error.format_message()).rstrip(".")
    if type(error).__name__ == "NoArgsIsHelpError":
        print(said, file=sys.stderr)
        sys.exit(2)
    context: Any = getattr(error, "ctx", None)
    if said.startswith("No such command") and "Did you mean" not in said:
        said = f"{said}; there are: {', '.join(context.command.list_commands(context))}"
    elif said.startswith("No such command"):
        said = said.replace(". Did you mean", "; did you mean")
    elif context is not None:
        said = f"{said}; see {context.command_path} --help"
    _fail(name, said, 2)


def _fail(name: str, sentence: str, code: int) -> NoReturn:
    print(f"{name}: {sentence}", file=sys.stderr)
    sys.exit(code)

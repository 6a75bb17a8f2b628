"""The project's habits: which way imports point, what a start costs, what docstrings say, what files hold."""

import ast
import builtins
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spaces import errors

ROOT = Path(__file__).parents[1]
PACKAGES = ("spaces", "trainables", "search")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TREES = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}


def of(trees: dict[str, ast.Module], folder: str) -> dict[str, ast.Module]:
    return {path: tree for path, tree in trees.items() if path.startswith(f"{folder}/")}


# --- imports -------------------------------------------------------------------------------------------


def imported(tree: ast.AST) -> set[str]:
    """Top-level names of all that a file imports, at its head or in a function, by statement or by string."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module if node.level == 0 else ".")
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in {"import_module", "__import__"}:
                names.add(str(node.args[0].value))
    return {name.partition(".")[0] or "." for name in names}


STANDARD = set(sys.stdlib_module_names) | {"__future__"}
UPWARD = {"tests", "benchmarks", "examples", "."}  # a relative import would hide which way it points
FORBIDDEN = {
    "trainables": {"ray", "optuna", "mlflow", "pandas", "search"} | UPWARD,
    "search": UPWARD,
    "search/decisions": {"ray", "mlflow", "torch"} | UPWARD,
}


def offences(trees: dict[str, ast.Module]) -> list[str]:
    found = [
        f"{path} imports {name}"
        for path, tree in of(trees, "spaces").items()
        for name in sorted(imported(tree) - STANDARD - {"spaces", "pydantic", "pydantic_core", "yaml"})
    ]
    for folder, forbidden in FORBIDDEN.items():
        for path, tree in of(trees, folder).items():
            found += [f"{path} imports {name}" for name in sorted(imported(tree) & forbidden)]
    return found


def test_imports_point_one_way():
    assert all(of(TREES, package) for package in PACKAGES)
    assert offences(TREES) == []


@pytest.mark.parametrize(
    ("path", "source", "name"),
    [
        ("spaces/planted.py", "import numpy as np", "numpy"),
        ("spaces/planted.py", "from trainables.config import Fixed", "trainables"),
        ("trainables/deep/planted.py", "def late():\n    import ray.tune", "ray"),
        (
            "trainables/planted.py",
            "from importlib import import_module\nimport_module('search.study')",
            "search",
        ),
        ("trainables/planted.py", "if TYPE_CHECKING:\n    from optuna import Trial", "optuna"),
        ("search/decisions/planted.py", "from torch import nn", "torch"),
        ("search/planted.py", "from tests.conftest import small_dataset", "tests"),
        ("search/planted.py", "from . import study", "."),
    ],
)
def test_an_import_the_wrong_way_is_seen(path, source, name):
    assert offences({path: ast.parse(source)}) == [f"{path} imports {name}"]


# --- what a start costs --------------------------------------------------------------------------------

HEAVY = ("ray", "mlflow", "torch", "pandas", "timm", "kornia", "sklearn")
HELP = "import runpy; sys.argv = ['search', '--help']; runpy.run_module('search', run_name='__main__')"


@pytest.mark.parametrize(
    "start", ["import spaces", "import trainables", "import search", "import search.cli", HELP]
)
def test_what_is_heavy_is_imported_when_it_is_needed(start):
    script = (
        f"import sys\ntry:\n    {start}\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('loaded:', *sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.splitlines()[-1] == "loaded:"


def test_help_answers_at_once(record_property):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = subprocess.run(
        [sys.executable, "-m", "search", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    record_property("cpu_seconds", seconds)
    assert answer.returncode == 0
    assert "Usage" in answer.stdout
    assert seconds < 1.5  # of the processor, not of the clock: 0.2 on a slow core; torch alone would take 2


# --- docstrings ----------------------------------------------------------------------------------------

Function = ast.FunctionDef | ast.AsyncFunctionDef


def public(tree: ast.Module) -> Iterator[tuple[str, ast.Module | ast.ClassDef | Function]]:
    """The module, its public classes and functions, their public methods."""
    yield "", tree

    def visit(body: list[ast.stmt], prefix: str):
        for node in body:
            if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
                yield prefix + node.name, node
                if isinstance(node, ast.ClassDef):
                    yield from visit(node.body, f"{prefix}{node.name}.")

    yield from visit(tree.body, "")


def section(docstring: str, title: str) -> list[str] | None:
    """The names that begin the entries of a Google-style section, or none where there is no such section."""
    lines = docstring.splitlines()
    if f"{title}:" not in lines:
        return None
    entries = []
    for line in lines[lines.index(f"{title}:") + 1 :]:
        if line and not line.startswith(" "):
            break
        if match := re.match(r" {4}(\*{0,2}[\w.]+(?:, \*{0,2}[\w.]+)*)(?: \(.*?\))?:(?: |$)", line):
            entries += match[1].split(", ")
    return entries


def own(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function's body, without those of functions inside of it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)


def raised(function: Function) -> set[str]:
    """Names of the exceptions that the body raises by name."""
    found = set()
    for node in own(function):
        if isinstance(node, ast.Raise) and node.exc is not None:
            what = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(what, ast.Name) and what.id[0].isupper():
                found.add(what.id)
    return found


def ancestors(name: str) -> set[str]:
    """An exception's name and those of its bases, as far as they are known here."""
    kind = getattr(errors, name, None) or getattr(builtins, name, None)
    return {name} | ({base.__name__ for base in kind.__mro__} - {"object"} if kind else set())


def arguments(node: ast.ClassDef | Function) -> set[str]:
    """What `Args:` has to name: a function's own arguments, a constructor's, or a class's fields."""
    if isinstance(node, ast.ClassDef):
        init = [item for item in node.body if isinstance(item, Function) and item.name == "__init__"]
        if init:
            return arguments(init[0])
        return {
            item.target.id
            for item in node.body
            if isinstance(item, ast.AnnAssign)
            and isinstance(item.target, ast.Name)
            and not item.target.id.startswith("_")
            and "ClassVar" not in ast.unparse(item.annotation)
            and "init=False" not in ast.unparse(item)
        }
    given = node.args
    everything = (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg)
    return {item.arg for item in everything if item} - {"self", "cls"}


def is_command(node: ast.AST) -> bool:
    """Whether a function's docstring is what the command line shows as its help: no place for `Raises:`."""
    return isinstance(node, Function) and "Option" in ast.unparse(node.args)


def complaints(path: str, tree: ast.Module) -> list[str]:
    """What the docstrings of one file leave out or promise wrongly."""
    found = []
    for name, node in public(tree):
        where = f"{path}: {name}".removesuffix(": ")
        docstring = ast.get_docstring(node)
        if not docstring:
            found.append(f"{where} has no docstring")
            continue
        if isinstance(node, ast.Module):
            continue
        made_by = [
            item
            for item in (node.body if isinstance(node, ast.ClassDef) else [node])
            if isinstance(item, Function) and (item is node or item.name in {"__init__", "__post_init__"})
        ]
        told = set(section(docstring, "Raises") or ())
        for kind in sorted(set().union(*map(raised, made_by))):
            if not told & ancestors(kind) and not is_command(node):
                found.append(f"{where} raises {kind} and does not say so under `Raises:`")
        listed = section(docstring, "Args")
        if listed is not None:
            named = {entry.lstrip("*") for entry in listed}
            taken = arguments(node)
            found += [f"{where} documents `{word}`, which it does not take" for word in sorted(named - taken)]
            found += [f"{where} leaves `{word}` out of `Args:`" for word in sorted(taken - named)]
    return found


@pytest.mark.parametrize("path", TREES)
def test_docstrings_say_what_is_true(path):
    assert complaints(path, TREES[path]) == []


SPEAKING = '''"""A module."""
@dataclass
class Box:
    """A box.

    Args:
        wide: Metres.
        {extra}

    Raises:
        InvalidSpace: It is flat.
    """
    wide: float
    count: ClassVar[int] = 0
    def __post_init__(self):
        raise InvalidSpace("flat")
    def fill(self, *things: int, **kwargs) -> None:
        """Fill it.

        Args:
            *things: What goes in.
            kwargs: A word of what
                is: not an entry.

        Raises:
            InputError: It is full.
        """
        def inner():
            raise KeyError
        raise InvalidParams("full")
    def _hidden(self):
        raise ValueError
'''


def test_a_docstring_that_says_all_passes():
    assert complaints("planted.py", ast.parse(SPEAKING.replace("{extra}", ""))) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"""A module."""', "", "planted.py has no docstring"),
        ("{extra}", "high: Metres.", "planted.py: Box documents `high`, which it does not take"),
        ("wide: float", "wide: float; deep: float", "planted.py: Box leaves `deep` out of `Args:`"),
        ("kwargs:", "keywords:", "planted.py: Box.fill documents `keywords`, which it does not take"),
        ("*things: What", "What", "planted.py: Box.fill leaves `things` out of `Args:`"),
        ("InputError: It is full.", "KeyError: Never.", "planted.py: Box.fill raises InvalidParams"),
        ('raise InvalidSpace("flat")', "raise StudyError", "planted.py: Box raises StudyError"),
        ('"""A box.\n', 'x = """A box.\n', "planted.py: Box has no docstring"),
    ],
)
def test_a_docstring_that_falls_short_is_seen(old, new, complaint):
    assert old in SPEAKING
    source = SPEAKING.replace(old, new).replace("{extra}", "")
    assert any(found.startswith(complaint) for found in complaints("planted.py", ast.parse(source)))


# --- files ---------------------------------------------------------------------------------------------

LONGEST = 400
HOSTS = re.compile(
    r"pypi\.org|pythonhosted\.org|download\.pytorch\.org|anaconda\.(?:org|com)|--(?:extra-)?index-url"
)


def tracked() -> list[Path]:
    """The project's files as git has them or would take them."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True
    )
    if listing.returncode:
        pytest.skip("not a git checkout, so nobody can say which files are the project's")
    names = listing.stdout.decode().split("\0")
    return sorted(ROOT / name for name in names if name and (ROOT / name).is_file())


def machine_paths() -> re.Pattern[str]:
    """Where this checkout and this user's home lie: nothing that anybody else has."""
    places = {str(place) for place in (ROOT, ROOT.parent, Path.home()) if len(place.parts) > 1}
    return re.compile(rf"(?<![\w.~*}})])(?:{'|'.join(map(re.escape, sorted(places, reverse=True)))})(?=/|\b)")


def strangers(text: str) -> list[str]:
    """Paths of this machine and hosts of package registries in a file's text."""
    return [match[0] for pattern in (machine_paths(), HOSTS) for match in pattern.finditer(text)]


def test_no_file_is_long():
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in tracked()
        if path.suffix == ".py" and ROOT / "tests" not in path.parents  # a test is read a case at a time
    }
    assert set(TREES) <= set(lengths)
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}


def test_no_file_knows_this_machine_or_a_package_registry():
    found = {}
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        if path != Path(__file__) and (words := strangers(text)):
            found[path.relative_to(ROOT).as_posix()] = words
    assert found == {}


def test_a_path_of_this_machine_and_a_registry_are_seen():
    assert strangers(f"see {ROOT}/mlruns") == [str(ROOT)]
    assert strangers("pip install --extra-index-url https://download.pytorch.org/whl/cpu") == [
        "--extra-index-url",
        "download.pytorch.org",
    ]
    assert strangers("mlruns/optuna.db and ./relative/work") == []


def test_every_test_file_has_a_name_of_its_own():
    """Test folders are no packages, so pytest takes two files of one name for the same module."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))

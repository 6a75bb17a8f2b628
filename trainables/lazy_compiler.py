"""Torch's compiler is imported when something is compiled, and not with every network and optimizer.

`torch._dynamo` brings some 900 modules and takes almost as long as the rest of torch and timm together, in each process
of a study. Three things import it without compiling anything: torch's optimizers, to tell it what it is to
leave alone, one of timm's, to set how much it may keep, and a function of torchvision's that timm never calls, to ask
whether it could be of use. Until somebody wants more of it, a stand-in tells them what is so while nothing is compiled.

Source: `torch/_compile.py`, `torch/optim/optimizer.py`, `timm/optim/kron.py`, `torchvision/ops/roi_align.py`. Where
these change, the compiler is imported as before, and a test says so.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

COMPILER = "torch._dynamo"
ASKING = "torchvision.ops.roi_align"
_LOCK = threading.RLock()


def install() -> None:
    """From now on the compiler is imported at its first use. Does nothing a second time, or where it is there."""
    if COMPILER not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _StandIn(ModuleType):
    """The compiler's package as long as nothing is compiled; whatever else is asked of it imports the real one."""

    def __init__(self) -> None:
        super().__init__(COMPILER)
        self.imported = False
        self.config = _Settings()

    def __getattr__(self, name: str) -> Any:
        # Who looks through all modules wants nothing of this one; who imports a part of it wants its path.
        if not self.imported or (name.startswith("__") and name != "__path__"):
            raise AttributeError(name)
        return getattr(_compiler(), name)

    def graph_break(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: there is no graph."""
        if (real := _if_there()) is not None:
            real.graph_break(*args, **kwargs)

    def disable(self, fn: Any = None, *args: Any, **kwargs: Any) -> Any:
        """`fn` itself, until there is a compiler that must be told to leave it alone."""
        if not inspect.isroutine(fn):  # a decorator is asked for, or a class or module is to be changed
            return _compiler().disable(fn, *args, **kwargs)
        disabled: Callable[..., Any] | None = None

        @functools.wraps(fn)
        def call(*given: Any, **named: Any) -> Any:
            nonlocal disabled
            if disabled is None and (real := _if_there()) is not None:
                disabled = real.disable(fn, *args, **kwargs)
            return (disabled or fn)(*given, **named)

        return call


class _Settings:
    """The compiler's settings: what is set is kept for it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_compiler().config, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if (real := _if_there()) is not None:
            setattr(real.config, name, value)
        else:
            self.__dict__[name] = value


def _if_there() -> Any:
    """The real compiler, where it is imported, whole."""
    found = sys.modules.get(COMPILER)
    return None if found is None or isinstance(found, _StandIn) or not hasattr(found, "disable") else found


def _compiler() -> ModuleType:
    """The real compiler, imported now if it was not."""
    with _LOCK:
        stand_in = sys.modules.get(COMPILER)
        if not isinstance(stand_in, _StandIn):
            return import_module(COMPILER)
        del sys.modules[COMPILER]
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
        sys.meta_path.insert(0, _Once())
        compiler = import_module(COMPILER)
        for name, value in vars(stand_in.config).items():
            setattr(compiler.config, name, value)
        return compiler


class _Finder(MetaPathFinder):
    """Finds the stand-in, and the module of torchvision that asks for more than it has."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == COMPILER:
            return ModuleSpec(COMPILER, _Given(_StandIn()))
        if fullname == ASKING:
            spec = PathFinder.find_spec(fullname, path)
            if spec is not None and spec.loader is not None:
                spec.loader = _Answered(spec.loader)
            return spec
        return None


class _Once(MetaPathFinder):
    """Who imported a part of the stand-in gets that of the compiler, which has it by then; it is not run again."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        there = sys.modules.get(fullname) if fullname.startswith(f"{COMPILER}.") else None
        return None if there is None else ModuleSpec(fullname, _Given(there))


class _Given(Loader):
    """A module that is there already."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""
        if isinstance(module, _StandIn):
            module.imported = True


class _Answered(Loader):
    """Runs a module that wants one function of the compiler's."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        with _answering():
            self._loader.exec_module(module)


@contextmanager
def _answering() -> Iterator[None]:
    """The part of the compiler that has the function, for as long as it is being asked for."""
    name = f"{COMPILER}.utils"
    if name in sys.modules:
        yield
        return
    part = ModuleType(name)
    part.is_compile_supported = _is_compile_supported  # type: ignore[attr-defined]
    sys.modules[name] = part
    try:
        yield
    finally:
        if sys.modules.get(name) is part:
            del sys.modules[name]


def _is_compile_supported(device_type: Any) -> Any:
    """The compiler's own answer, once somebody calls what needs it."""
    from torch._dynamo.utils import is_compile_supported

    return is_compile_supported(device_type)

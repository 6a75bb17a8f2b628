"""Importing this makes `import search` mean the package.

Python puts a script's folder first on its path, where `benchmarks/search.py` would be taken for it.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != HERE]


def script(name: str) -> ModuleType:
    """Another script of this folder as a module, of which worker processes find the functions too."""
    module = f"benchmark_{name}"
    if module not in sys.modules:
        spec = importlib.util.spec_from_file_location(module, HERE / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[module] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[module])
    return sys.modules[module]

"""Importing this makes `import search` mean the package.

Python puts a script's folder first on its path, where `benchmarks/search.py` would be taken for it.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != HERE]

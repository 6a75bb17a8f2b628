"""What a study ran on: code, machine, versions. It imports none of the libraries it asks about."""

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("torch", "torchvision", "timm", "ray", "optuna", "mlflow", "kornia", "pandas", "numpy")
_GIT_SECONDS = 10


def provenance() -> dict[str, str]:
    """Names and values, fit for tags: ``git.commit``, ``machine.cpus``, ``version.torch``, ….

    ``git.commit`` and ``git.dirty`` are there if the working directory is in a git repository with a commit;
    ``machine.gpus`` if torch has been imported already and sees a GPU; a ``version.…`` if it is installed.
    """
    facts = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine.cpus": str(_cpus()),
        "machine.memory_gb": f"{_memory_bytes() / 2**30:.1f}",
    }
    commit = _git("rev-parse", "HEAD")
    if commit:
        facts["git.commit"] = commit
        changes = _git("status", "--porcelain")
        facts["git.dirty"] = "unknown" if changes is None else str(bool(changes)).lower()
    gpus = _gpus()
    if gpus:
        facts["machine.gpus"] = ", ".join(gpus)
    for package in PACKAGES:
        try:
            facts[f"version.{package}"] = version(package)
        except PackageNotFoundError:
            continue
    return facts


def _cpus() -> int:
    """Those that this process may use, which in a container or under a queue are fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0


def _gpus() -> list[str]:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [str(torch.cuda.get_device_name(index)) for index in range(torch.cuda.device_count())]


def _git(*arguments: str) -> str | None:
    """What git prints, or None where there is no git or no repository."""
    try:
        answer = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, timeout=_GIT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()

import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from search.tracking import provenance


def test_provenance_says_what_it_ran_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    facts = provenance()
    assert "git.commit" not in facts
    assert facts["version.optuna"] == optuna.__version__
    assert int(facts["machine.cpus"]) >= 1
    assert float(facts["machine.memory_gb"]) > 0.1
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    assert len(provenance()["git.commit"]) == 40
    assert provenance()["git.dirty"] == "false"
    (tmp_path / "new").touch()
    assert provenance()["git.dirty"] == "true"


def test_provenance_imports_nothing_it_asks_about() -> None:
    code = (
        "import sys; from search.tracking.provenance import provenance; provenance();"
        " print([n for n in ('torch', 'timm', 'ray', 'optuna', 'mlflow', 'pandas') if n in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (answer.stdout, answer.stderr) == ("[]\n", "")

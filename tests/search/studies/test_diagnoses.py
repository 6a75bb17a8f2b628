"""A real study of which a part of the trials diverges: what is wrong is in every place where a user looks."""

from __future__ import annotations

import io
from dataclasses import replace

import mlflow
import optuna
import pytest
from rich.console import Console

from search.diagnoses import diagnoses_of
from search.ledger import DIAGNOSIS
from search.report.gather import report_of
from search.report.page import page
from search.store.databases import open_storage
from search.view.leaderboard import print_leaderboard
from search.view.lines import LineView
from trainables.diagnosis.registry import KINDS

SETTINGS = {
    "trials": 24, "finalists": 0, "trainable": "tests.search.parts:Exploding", "searcher": "random", "seed": 3,
    "narrow": {
        "batch_size": {"low": 8, "high": 24, "default": 8},
        "strategy": "full",
        "strategy.full.lr": {"low": 1e-4, "high": 1e-3, "default": 1e-3},
    },
    "epochs": 3,
}  # fmt: skip


@pytest.mark.timeout(300)
def test_what_is_wrong_with_trials_is_told_wherever_they_are_shown(small_study):
    study = small_study(**SETTINGS)
    lines = io.StringIO()
    result = study.run(LineView(lines))
    lost = [trial for trial in result.trials if trial.params["dropout"] > 0.3]
    assert 5 <= len(lost) < 18

    ledger = optuna.load_study(study_name=study.spec.name, storage=open_storage(study.store))
    for trial in result.trials:
        diverged = trial.params["dropout"] > 0.3
        assert (trial.state == "FAIL") == diverged
        names = [one.name for one in trial.diagnosis]
        assert (names[:1] == ["rate_too_high"]) == diverged
        written = ledger.trials[trial.number].user_attrs.get(DIAGNOSIS, [])
        assert [one["name"] for one in written] == names
        if diverged:
            assert trial.reason.startswith("diverged: loss was ")
            assert trial.diagnosis[0].says in trial.reason
            assert KINDS["rate_too_high"].remedy in trial.reason
    frame = result.dataframe().set_index("number")["diagnosis"]
    assert all("rate_too_high" in frame[trial.number] for trial in lost)

    # The region, live and among what to look at; it is a verdict and changes nothing.
    told = [line for line in lines.getvalue().splitlines() if "with dropout from 0.3" in line]
    assert len(told) == 1, lines.getvalue()
    assert "0 of the " in told[0]
    assert "--set dropout=[0,0.3" in told[0]
    (verdict,) = [one for one in study.verdicts() if one.kind == "diverging region"]
    assert verdict.settings[0].startswith("--set dropout=[0,0.3")
    assert f"{len(lost)} of {len(lost)} trials there" in verdict.evidence

    shown = io.StringIO()
    print_leaderboard(result, Console(file=shown, width=120))
    assert f"the worst of each: diverged: rate too high ({len(lost)})" in shown.getvalue()
    few = replace(result, trials=[result.best, *lost[:3]], answer=None)
    print_leaderboard(few, Console(file=shown, width=120))
    rows = shown.getvalue().splitlines()
    assert sum("FAIL" in row and "diverged: rate too high" in row for row in rows) == 3, shown.getvalue()
    assert "diverged: rate too high: " in page(report_of(study))

    client = mlflow.MlflowClient(study.store.mlflow_uri)
    tags = client.get_run(lost[0].run_id).data.tags
    assert tags["diagnosis"].startswith("rate_too_high")
    assert lost[0].diagnosis[0].says in tags["mlflow.note.content"]

    # A ledger of an earlier version has no such attribute: what can be told is told from its records.
    old = ledger.trials[lost[0].number]
    del old.user_attrs[DIAGNOSIS]
    assert [one.name for one in diagnoses_of(old)][:1] == ["diverged"]

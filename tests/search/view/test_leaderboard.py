from pathlib import Path

import pytest
from optuna.trial import TrialState

from search.result import StudyResult, summarise
from search.store.layout import Store
from tests.search.view.parts import BUDGET, SELF_ENDED, Feed, a_result, curve, flat, shown


@pytest.mark.parametrize("width", [40, 80, 100, 120, 200])
def test_no_row_of_the_leaderboard_is_wrapped(width: int) -> None:
    lines = shown(a_result(), width).splitlines()
    start = next(index for index, line in enumerate(lines) if "state" in line and "score" in line)
    rows = lines[start + 1 : start + 11]
    assert all(line.split()[1] in {"COMPLETE", "PRUNED", "FAIL"} for line in rows)
    assert all(len(line) <= width for line in rows)
    figures = ["9", "COMPLETE", "0.986", "27", "1:08"]
    assert rows[0].split()[: 5 if width >= 80 else 3] == figures[: 5 if width >= 80 else 3]
    if width >= 80:
        assert any("lr=" in line for line in rows)
        assert not any("…" in line for line in rows)
    if width == 200:
        assert "Not shown" not in "\n".join(lines)


def test_the_leaderboard_names_trials_that_ended_themselves() -> None:
    feed = Feed()
    feed.trial(TrialState.COMPLETE, *curve(0.9))
    whole = StudyResult("digits", [summarise(trial) for trial in feed.known()], epochs=BUDGET)
    assert "own rule" not in shown(whole)
    feed.trial(TrialState.COMPLETE, 0.95, reason=SELF_ENDED)
    feed.trial(TrialState.PRUNED, 0.1, reason="stopped by the scheduler at epoch 1")
    result = StudyResult("digits", [summarise(trial) for trial in feed.known()], epochs=BUDGET)
    text = flat(shown(result))
    assert "Ended by their own rule before the full budget: trial 1." in text
    assert "saved by pruning" in text
    assert result.best.number == 1
    assert list(result.dataframe()["reason"])[:2] == ["", SELF_ENDED]
    feed.trial(TrialState.COMPLETE, 0.94, reason=SELF_ENDED)
    again = StudyResult("digits", [summarise(trial) for trial in feed.known()], epochs=BUDGET)
    assert "full budget: trials 1, 3." in flat(shown(again))


def test_a_parameter_is_never_read_as_markup() -> None:
    feed = Feed()
    feed.trial(TrialState.COMPLETE, *curve(0.9))
    trial = summarise(feed.known()[0])
    odd = type(trial)(**{**vars(trial), "params": {"a.b": "[bold]x[/bold]", "[red]name": 1}})
    text = shown(StudyResult("digits", [odd], parameters=("a.b", "[red]name")), 120)
    assert "[bold]x[/bold]" in text
    assert "[red]name=1" in text


def test_what_has_to_be_typed_names_another_store_and_no_password(tmp_path: Path) -> None:
    store = Store(tmp_path / "other", optuna="postgresql://me:secret@host:5432/db")
    text = shown(a_result(), 60, store=store)
    assert f"finetune-search best digits --store {tmp_path / 'other'}" in text.replace("\n", "")
    assert "postgresql://host:5432/db" in text
    assert "secret" not in text

"""Learning curves in files, and rehearsals on them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from search.reading import load_spec
from search.rehearsal import SHARES, Rehearsal, Rehearsed, Setting, rehearse
from search.simulation import simulate
from search.simulation.tables import Table, completed, load_table, read_table, write_table
from search.view.rehearsal import sentence
from spaces import Float, InputError, SearchSpace, Switch

EPOCHS = 9
SPACE = SearchSpace(
    {"x": Float(0, 1), "kind": Switch({"a": SearchSpace({"y": Float(0, 1)}), "b": SearchSpace({})})}
)


def curve(params):
    final = 1 - (params["x"] - 0.3) ** 2 - 0.2 * (params.get("kind.a.y", 0.7) - 0.5) ** 2
    return final * (1 - 0.6 ** np.arange(1, EPOCHS + 1))


def table(count=60, seed=0, name="made"):
    runs = simulate(
        SPACE, lambda params: (curve(params), np.ones(EPOCHS)), EPOCHS, trials=count, searcher="random",
        scheduler="none", seed=seed,
    ).runs  # fmt: skip
    recipes = [dict(run.params) for run in runs]
    scores = np.array([curve(recipe) for recipe in recipes])
    return Table(name, SPACE, recipes, scores, np.linspace(1, 2, count), np.zeros(count, dtype=bool))


def test_a_table_is_read_as_it_was_written(tmp_path):
    written = table()
    written.scores[3, 4:] = np.nan
    written.diverged[3] = True
    write_table(written, tmp_path / "new" / "made.parquet")
    read = load_table(str(tmp_path / "new" / "made.parquet"))
    assert read.space == SPACE
    assert list(read.recipes) == written.recipes
    assert np.allclose(read.scores, written.scores, equal_nan=True, atol=1e-6)
    assert np.allclose(read.seconds, written.seconds, atol=1e-6)
    assert read.diverged.tolist() == written.diverged.tolist()
    assert read.name == "made"


def test_nothing_of_the_users_is_overwritten_and_what_is_no_table_is_said(tmp_path):
    path = tmp_path / "made.parquet"
    path.write_bytes(b"precious")
    with pytest.raises(InputError, match="must be a new file"):
        write_table(table(), path)
    assert path.read_bytes() == b"precious"
    with pytest.raises(InputError, match="must be a table that `finetune-search record` wrote"):
        read_table(path)
    with pytest.raises(InputError, match="must be a file that exists"):
        read_table(tmp_path / "none.parquet")
    with pytest.raises(InputError, match=r"curves must be one of .* or a .parquet file, but got 'nowhere'"):
        load_table("nowhere")


def test_another_tables_columns_are_no_curves(tmp_path):
    import pandas

    pandas.DataFrame({"epoch_1": [1.0]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(InputError, match=r"other.parquet must be a table"):
        read_table(tmp_path / "other.parquet")


def test_a_stopped_curve_goes_on_like_full_ones_that_stood_where_it_stopped():
    full = table(40).scores
    stopped = full.copy()
    stopped[10:, 3:] = np.nan
    stopped[39] = np.nan
    diverged = np.zeros(40, dtype=bool)
    diverged[39] = True
    whole = completed(stopped, diverged)
    assert np.allclose(whole[:10], full[:10])
    missed = np.abs(whole[10:39, 3:] - full[10:39, 3:])
    assert missed.mean() < 0.1 * np.abs(full[10:39, 2:3] - full[10:39, 3:]).mean()
    assert np.isnan(whole[39]).all()
    with pytest.raises(InputError, match="at least two trainings of full length, but got 1"):
        completed(stopped[9:], diverged[9:])


def test_a_fold_that_ended_early_stands_where_it_ended():
    """Its last record bears the fold's last epoch, and nothing lies between."""
    full = table(5).scores
    full[0, 3:-1] = np.nan
    whole = completed(full, np.zeros(5, dtype=bool))
    assert (whole[0, 3:-1] == full[0, 2]).all()
    assert np.array_equal(whole[0, [0, 1, 2, -1]], full[0, [0, 1, 2, -1]])
    assert np.array_equal(whole[1:], full[1:])


def test_curves_that_leave_nothing_to_find_are_not_rehearsed_on(tmp_path):
    """Regret has no unit where a median recipe is as good as the best."""
    easy = table(9)
    easy.scores[:6] = easy.scores.max()
    easy.scores[8], easy.diverged[8] = np.nan, True
    with pytest.raises(InputError, match="half of the recipes of 'made' reach its best score"):
        rehearse(spec(tmp_path), [easy], 2, seeds=1)
    same = easy.task()
    assert [same.regret(same.best), same.regret(same.best - 0.1)] == [0, 1]


def test_a_rehearsal_finishes_as_many_as_the_study_has_finalists(tmp_path):
    budgets = [
        rehearse(spec(tmp_path, trials=12, finalists=finalists), [table()], 2, seeds=1, jobs=1).trainings
        for finalists in (1, 6)
    ]
    assert budgets[1] > budgets[0] + 1


def spec(tmp_path, **settings):
    path = tmp_path / "study.yaml"
    path.write_text(json.dumps({"epochs": 18, "trials": 20, "finalists": 0, **settings}))
    return load_spec(str(path))


def test_a_rehearsal_compares_searchers_for_the_same_epochs_and_says_what_more_would_buy(tmp_path):
    told = []
    rehearsal = rehearse(
        spec(tmp_path, searcher="random", scheduler="none"), [table(), table(50, 7, "other")], workers=2, seeds=2,
        on_progress=lambda done, total: told.append((done, total)), jobs=1,
    )  # fmt: skip
    assert rehearsal.tables == ["made", "other"]
    assert rehearsal.trainings == pytest.approx(20)  # every trial in full
    assert rehearsal.own.trials == 20
    assert rehearsal.own.regrets.shape == (2, 2, len(SHARES))
    names = [(one.setting.searcher, one.setting.scheduler) for one in rehearsal.others]
    assert ("random", "none") not in names
    assert ("default", "default") in names
    means = [one.means[-1] for one in rehearsal.others]
    assert means == sorted(means)
    larger = [one for one in rehearsal.more if one.setting.budget > 1]
    assert larger[-1].means[-1] <= rehearsal.own.means[-1]
    assert larger[0].clock == pytest.approx(2.0, abs=0.2)
    wider = [one for one in rehearsal.more if one.setting.workers > 1]
    assert wider[0].clock == pytest.approx(0.5, abs=0.1)
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert told[-1][0] == told[-1][1]


def rehearsed(searcher, scheduler, last):
    """Regrets of six seeds on one table."""
    regrets = np.repeat(np.array(last)[None, :, None], len(SHARES), axis=2)
    return Rehearsed(Setting(searcher, scheduler), regrets, trials=20, clock=1.0)


def test_what_follows_is_said_with_the_settings_that_change():
    own = rehearsed("random", "asha", [0.5, 0.6, 0.55, 0.52, 0.61, 0.58])
    clearly = rehearsed("random", "promotion", [0.3, 0.33, 0.35, 0.3, 0.4, 0.36])
    rehearsal = Rehearsal(own, [clearly], [], 20.0, ["made"], 6)
    assert rehearsal.better is clearly
    assert sentence(rehearsal) == (
        "Expect more of random + promotion: regret 0.34 instead of 0.56 (--set scheduler=promotion)."
    )
    by_chance = rehearsed("default", "default", [0.9, 0.2, 0.8, 0.1, 0.9, 0.3])
    rehearsal = Rehearsal(own, [by_chance], [], 20.0, ["made"], 6)
    assert rehearsal.better is None
    assert (
        sentence(rehearsal)
        == "Nothing rehearsed here is better than random + asha by more than chance (6 seeds)."
    )


def test_a_rehearsal_needs_a_budget_it_can_count(tmp_path):
    with pytest.raises(InputError, match="needs a budget of trials or epochs"):
        rehearse(spec(tmp_path, trials=None, time=60), [table()], 2)
    with pytest.raises(InputError, match="needs curves and seeds"):
        rehearse(spec(tmp_path), [], 2)
    counted = rehearse(spec(tmp_path, trials=None, budget_epochs=90), [table()], 2, seeds=1, jobs=1)
    assert counted.trainings == pytest.approx(5, abs=0.2)
    whole = 18  # epochs of the study's trainings
    kept = rehearse(
        spec(tmp_path, trials=None, budget_epochs=20 * whole, finalists=3, finalist_seeds=2),
        [table()], 2, seeds=1, jobs=1,
    )  # fmt: skip
    assert kept.kept == 10  # a race of three with two seeds, twice two to measure
    assert kept.trainings == pytest.approx(10, abs=0.2)
    short = rehearse(
        spec(tmp_path, trials=None, budget_epochs=10 * whole, finalists=3, finalist_seeds=3),
        [table()], 2, seeds=1, jobs=1,
    )  # fmt: skip
    assert (short.kept, short.trainings) == (5, pytest.approx(5, abs=0.2))

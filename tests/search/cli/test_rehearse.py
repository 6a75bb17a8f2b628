"""`record` and `rehearse` as a user meets them."""

from __future__ import annotations

from search.simulation.tables import read_table


def test_a_studys_curves_are_kept_and_rehearsed_on(command, refused, finished, store):
    code, out, err = command("record", "small")
    assert (code, err) == (0, "")
    path = store.tables / "small.parquet"
    assert out == f"2 curves of at most 3 epochs in {path}\n"
    kept = read_table(path)
    assert [dict(recipe) for recipe in kept.recipes] == [trial.params for trial in finished.trials]
    assert [list(row) for row in kept.scores.round(5)] == [
        [round(score, 5) for _, score in sorted(trial.intermediate_values.items())]
        for trial in finished.trials
    ]
    assert (kept.seconds > 0).all()
    assert "must be a new file" in refused("record", "small")

    code, out, err = command("rehearse", "digits", "--trials", "4", "--seeds", "1", "--curves", path)
    assert code == 0, err
    assert out.startswith("Rehearsed on the curves of small: 1 seed each, ")
    for line in ("default + default  (this study)", "tpe + asha", "2 x the epochs", "4 x the workers"):
        assert line in out
    assert "Nothing rehearsed here is better" in out
    assert max(map(len, out.splitlines()[2:-1])) <= 80


def test_what_cannot_be_recorded_or_rehearsed_is_said(refused, ledger, tmp_path):
    assert "there is no study 'nowhere'" in refused("record", "nowhere")
    assert "curves must be one of" in refused("rehearse", "digits", "--curves", "nowhere")
    one = tmp_path / "begun.parquet"
    from search.curves import table_of
    from search.overview import load_study
    from search.simulation.tables import write_table
    from search.store.layout import Store

    write_table(table_of(load_study(Store(tmp_path / "mlruns"), "begun")), one)
    assert "at least two trainings of full length, but got 0" in refused(
        "rehearse", "digits", "--curves", one
    )
    assert "needs a budget of trials or epochs" in refused(
        "rehearse", "digits", "--curves", one, "--set", "time=60"
    )

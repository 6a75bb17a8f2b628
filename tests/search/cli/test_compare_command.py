"""What a user types and reads of comparisons, without training anything."""

from __future__ import annotations

import pytest

from search import register
from search.comparison.entry import read
from tests.search.comparison.parts import compared

RECIPE = """\
data: digits
settings: {model: glyphs, precision: fp32, epochs: 2, repeats: 1}
params: {batch_size: 16, dropout: 0.0, strategy: full, strategy.full.lr: 0.001}
"""
A, B = [0.91, 0.902, 0.915], [0.931, 0.918, 0.93]


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(name: str, *changes: tuple[str, str]) -> str:
        text = RECIPE
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / name).write_text(text)
        return name

    return write


def test_more_than_one_thing_is_refused_with_what_to_do(refused, files):
    files("a.yaml")
    files("b.yaml", ("dropout: 0.0", "dropout: 0.3"), ("0.001", "0.01"))
    said = refused("compare", "a.yaml", "b.yaml")
    assert said.startswith(
        "a controlled comparison must have one difference, but 2 things differ: dropout: 0 in A, 0.3 in B; "
        "strategy.full.lr: 1e-3 in A, 0.01 in B. Make all but one of them alike"
    )
    assert "--any-difference" in said


def test_nothing_that_differs_other_data_and_no_recipe_are_refused(refused, files):
    files("a.yaml")
    files("seed.yaml", ("data: digits", "data: digits\nseed: 7"))
    assert "but nothing that decides a training differs" in refused("compare", "a.yaml", "seed.yaml")
    files("glyphs.yaml", ("data: digits", "data: glyphs"))
    assert "--data DATA trains both on one" in refused("compare", "a.yaml", "glyphs.yaml")
    files("odd.yaml", ("strategy: full", "strategy: fool"))
    files("b.yaml", ("0.001", "0.01"))
    assert refused("compare", "a.yaml", "odd.yaml").startswith("B (odd.yaml): `strategy` must be one of")
    assert "'none.yaml' must be a readable YAML file" in refused("compare", "a.yaml", "none.yaml")
    assert "a recipe must be a .yaml file" in refused("compare", "a.yaml", "digits")
    said = refused("compare", "a.yaml", "b.yaml", "--name", "no name")
    assert said.startswith("a comparison's name must be at most 91 letters")
    assert "seeds" in refused("compare", "a.yaml", "odd.yaml", "--seeds", "0")


@pytest.mark.timeout(120)
def test_recipes_of_a_study_are_named_by_it(refused, files, finished, store):
    """The winner, a trial, the baseline: which these are, the differences tell."""
    finished.set_user_attr(register.SETTLED, {"device": "cpu", "precision": "fp32", "compile": False})
    same = refused("compare", "small:0", "small:baseline")
    assert "but nothing that decides a training differs" in same
    several = refused("compare", "small:baseline", "small:1")
    assert "things differ: batch_size: 16 in A, " in several
    best = max(finished.get_trials(), key=lambda trial: (trial.value, -trial.number)).number
    other = f"small:{best}"
    assert "but nothing that decides a training differs" in refused("compare", "small", other)
    assert "there must be a trial from 0 to 1 that has begun, or baseline, but got 'small:9'" in refused(
        "compare", "small", "small:9"
    )
    assert refused("compare", "smal", "small").endswith("but got 'smal'; did you mean 'small'?")


def test_show_and_list_have_a_comparison_and_no_other_command_takes_it_for_a_study(
    command, refused, store, files
):
    compared(store, [A, B])
    code, out, err = command("show", "two")
    assert (code, err) == (0, "")
    text = " ".join(out.split())
    verdict = read(store, "two").verdict
    assert verdict in text
    assert "A is a.yaml: full lr=1e-3" in text
    assert "B is b.yaml: as A, but strategy.full.lr=3e-3" in text
    assert "One thing differs: strategy.full.lr: 1e-3 in A, 3e-3 in B." in text
    assert "0.9100 0.9310 +0.0210 2.0 3.0" in text
    assert "A training of B takes 1.50 times as long" in text
    assert "finetune-search show two" in text
    code, out, _ = command("list")
    assert code == 0
    row = " ".join(out.splitlines()[-1].split())
    assert row == "two digits glyphs 6 of 6 trainings of A and B B by 0.017"
    for words in (["best"], ["report"], ["confirm"], ["inspect"]):
        assert "'two' is a comparison of two recipes, and not a study" in refused(*words, "two")
    assert "'two' is a comparison; choose another --name" in refused("run", "digits", "--name", "two")
    files("a.yaml")
    files("b.yaml", ("0.001", "0.01"))
    assert "comparison 'two' exists with another recipe A than a.yaml is now" in refused(
        "compare", "a.yaml", "b.yaml", "--name", "two"
    )
    assert register.study_names(store) == ["two"]


def test_what_cannot_be_told_is_followed_by_the_command_that_would(command, store):
    compared(store, [[0.91, 0.902, 0.915], [0.921, 0.905, 0.914]])
    _, out, _ = command("show", "two")
    seeds = read(store, "two").difference.seeds_that_tell
    assert f"finetune-search compare a.yaml b.yaml --name two --seeds {seeds}" in out


def test_a_comparison_is_no_study_of_the_same_data(store, finished):
    from search.hypotheses.log import on_same_data

    compared(store, [A, B])
    study = register.find_study(store, "two")
    study.set_user_attr(register.DATA, finished.user_attrs[register.DATA])
    assert on_same_data(store, "small") == []

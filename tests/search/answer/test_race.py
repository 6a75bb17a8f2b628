"""Who stays in the race among finalists; and whole studies, imagined, that end with it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from search.answer.answer import Answer, Confirmed
from search.answer.hits import Hits
from search.answer.race import CHANCE, contenders
from tests.search.answer.test_estimate import measured


def test_one_who_lies_far_behind_is_out_and_a_close_one_is_not():
    scores = {"a": [0.90, 0.91], "b": [0.95, 0.96], "c": [0.948, 0.961]}
    assert contenders(scores) == ["b", "c"]


def test_with_one_seed_nobody_is_told_from_anybody():
    assert contenders({"a": [0.1], "b": [0.9], "c": [0.5]}) == ["b", "c", "a"]


def test_whose_trainings_failed_is_out_unless_all_did():
    assert contenders({"a": [0.99, None], "b": [0.5, 0.6]}) == ["b"]
    assert contenders({"a": [None, None], "b": [None, None]}) == []
    assert contenders({"a": [], "b": []}) == []


def test_only_seeds_that_all_have_are_compared():
    scores = {"a": [0.1, None, 0.9, 0.9], "b": [None, 0.9, 0.8, 0.8], "c": [None, None, 1.0, 1.0]}
    assert contenders(scores) == ["a"]  # the first two seeds say nothing of both, the others tell them apart
    assert contenders({"a": [0.5, None], "b": [None, 0.6]}) == ["b", "a"]
    assert contenders({}) == []


def test_among_equals_the_searchs_order_decides():
    assert contenders({"b": [1.0, 1.0], "a": [1.0, 1.0]}) == ["b", "a"]


def test_two_are_told_apart_as_by_a_paired_test():
    """For two candidates the two-way layout is Student's paired test."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        ours, theirs = rng.normal(0.9, 0.01, (2, 4))
        theirs -= 0.01
        better, worse = sorted(([*ours], [*theirs]), key=sum, reverse=True)
        by_chance = stats.ttest_rel(better, worse, alternative="greater").pvalue
        assert (len(contenders({"a": better, "b": worse})) == 1) == (by_chance < CHANCE)


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=5))
def test_the_leader_is_always_in_and_first(rows):
    scores = {str(number): row for number, row in enumerate(rows)}
    found = contenders(scores)
    assert np.mean(scores[found[0]]) == pytest.approx(max(np.mean(row) for row in rows))
    assert len(set(found)) == len(found)


def imagined(rng, quality, seeds=3, finalists=3, images=360, noise=0.01):
    """A study of recipes with these logits of quality: search, race and measurement as the project does them."""
    recipes = len(quality)

    def scores(number):  # validation: of a few hundred images, and with a seed's luck
        return 1 / (1 + np.exp(-3 - quality[number])) + noise * rng.normal()

    best = sorted(range(recipes), key=lambda number: -scores(number))[:finalists]
    rows = {str(number): [] for number in best}
    for seed in range(seeds):
        for number in best:
            if str(number) in rows:
                rows[str(number)].append(scores(number))
        if seed and len(rows) > 1:
            rows = {label: rows[label] for label in contenders(rows)}
    winner = int(contenders(rows)[0])
    easiness = 3 * rng.normal(size=images)
    sides = []
    for number in (winner, 0):
        hits: list[Hits] = measured(rng, easiness + quality[number], 0.1, seeds)
        label = "baseline" if number == 0 else f"trial {number}"
        sides.append(Confirmed(label, number, {}, test=[one.accuracy for one in hits], hits=hits))
    return winner, Answer(sides[0], sides[1], [sides[0]], 0.0).difference


def test_among_a_hundred_equally_good_recipes_the_answer_is_too_close_to_tell():
    rng = np.random.default_rng(0)
    told = [imagined(rng, np.zeros(100))[1] for _ in range(300)]
    close = sum(one is None or one.verdict == "too close to tell" for one in told)
    assert close / 300 >= 0.95


def test_a_recipe_that_is_better_wins_the_race_and_is_told():
    rng = np.random.default_rng(1)
    quality = np.zeros(30)
    quality[7] = 2.0
    found = [imagined(rng, quality, images=2000) for _ in range(100)]
    assert sum(winner == 7 for winner, _ in found) >= 95
    assert sum(one is not None and one.verdict == "above" for _, one in found) >= 90

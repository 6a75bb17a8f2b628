"""Whether stopping early was safe, by hand-made histories and by a search whose truth is known."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from search.decisions.history import History, Status
from search.insight.insight import insight_of
from search.insight.rungs import agreements_of, stopped_of
from search.insight.surface import Surface
from spaces import Float, SearchSpace
from tests.search.insight.planted import planted, truth

SPACE = SearchSpace({"x": Float(0.0, 1.0)})


def history_of(curves, epochs=4) -> History:
    """A trial for each curve, stopped where it ends."""
    history = History(SPACE, epochs)
    for number, scores in enumerate(curves):
        run = history.begin(number, {"x": number / len(curves)})
        for epoch, score in enumerate(scores, start=1):
            history.record(number, epoch, score)
        run.status = Status.COMPLETE if len(scores) == epochs else Status.STOPPED
    return history


CURVES = [
    (0.5, 0.4, 0.6, 0.9),
    (0.6, 0.7, 0.7, 0.8),
    (0.4, 0.5, 0.8, 0.85),
    (0.3, 0.6, 0.65, 0.7),
    (0.2, 0.3, 0.5, 0.6),
    (0.45,),
    (0.1,),
    (0.55, 0.65),
]


def test_ranks_at_a_rung_are_compared_with_those_at_the_end():
    history = history_of(CURVES)
    first, second = agreements_of(history, None)
    assert (first.epoch, first.later, first.trials) == (1, 4, 5)
    early, late = [0.5, 0.6, 0.4, 0.3, 0.2], [0.9, 0.8, 0.85, 0.7, 0.6]
    expected = stats.spearmanr(early, late).statistic
    assert first.correlation == pytest.approx(expected)
    z, error = math.atanh(expected), math.sqrt((1 + expected**2 / 2) / 2)
    assert (first.low, first.high) == pytest.approx(
        (math.tanh(z - 1.959964 * error), math.tanh(z + 1.959964 * error))
    )
    assert (first.place, first.there) == (3, 8)  # trial 0 won in the end; 0.6 and 0.55 were above its 0.5
    assert second.epoch == 2
    # The best so far counts, as it did for the scheduler: 0.5 after two epochs, not 0.4.
    assert second.correlation == pytest.approx(stats.spearmanr([0.5, 0.7, 0.5, 0.6, 0.3], late).statistic)
    assert first.modelled is None


def test_nothing_is_said_where_too_few_came_far_or_nobody_was_stopped():
    assert agreements_of(history_of(CURVES[3:]), None) == []
    assert agreements_of(history_of([curve for curve in CURVES if len(curve) == 4]), None) == []
    assert agreements_of(History(SPACE, 4), None) == []
    same = [(0.5, 0.5, 0.5, score) for score in (0.6, 0.7, 0.8, 0.9, 0.95)]
    assert agreements_of(history_of([*same, (0.5,)]), None) == []  # ranks that do not vary


def test_what_a_stopped_trial_lacked():
    stopped = {one.number: one for one in stopped_of(history_of(CURVES), None)}
    assert set(stopped) == {5, 6, 7}
    assert (stopped[6].epoch, stopped[6].score, stopped[6].needed) == (1, 0.1, 0.2)
    assert stopped[6].short == pytest.approx(0.1)
    assert stopped[5].short < 0  # a weaker one was trained on: others were preferred
    assert stopped[7].needed == 0.3  # after two epochs
    assert stopped[7].expected is None
    (alone,) = stopped_of(history_of([(0.5, 0.6)]), None)
    assert (alone.needed, alone.short) == (None, None)


def test_paused_trials_lack_something_too_and_finished_and_failed_ones_do_not():
    history = history_of(CURVES)
    history[5].status = Status.PAUSED
    history[6].status = Status.FAILED
    assert {one.number for one in stopped_of(history, None)} == {5, 7}


def test_the_chance_to_have_won_agrees_with_the_truth():
    """Stopped trials by their truth: those called likely are better than those called unlikely."""
    history = planted(2, trials=60)
    surface = Surface(history)
    stopped = stopped_of(history, surface)
    assert [one.chance for one in stopped] == sorted((one.chance for one in stopped), reverse=True)
    assert all(0 <= one.chance <= 1 for one in stopped)
    truths = [truth(history[one.number].params) for one in stopped]
    expected = [one.expected for one in stopped]
    assert stats.spearmanr(truths, expected).statistic > 0.8
    best = max(truth(run.params) for run in history if run.status is Status.COMPLETE)
    insight = insight_of(history)
    would = sum(value > best for value in truths)
    assert insight.regret == pytest.approx(would, abs=3)


def test_over_the_whole_space_an_early_score_tells_more_than_among_those_that_it_let_through():
    """Recipes alike were let through: among them ranks are noise, which is no sign that the rung was too early."""
    history = planted(4, trials=100)
    (first, *_) = agreements_of(history, Surface(history))
    assert first.modelled > 0.6
    assert first.correlation < first.modelled

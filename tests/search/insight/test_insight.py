"""All that a search's trials say, as one value."""

from __future__ import annotations

import json

from search.decisions.history import History, Status
from search.insight.insight import insight_of
from tests.search.insight.planted import EPOCHS, PLANTED, SPACE, planted


def test_it_is_plain_data_and_the_same_each_time():
    history = planted(0, trials=60)
    insight = insight_of(history)
    assert {effect.name for effect in insight.told} == PLANTED
    assert {effect.name for effect in insight.told}.isdisjoint(effect.name for effect in insight.untold)
    data = insight.to_dict()
    assert json.loads(json.dumps(data)) == data
    assert insight_of(history).to_dict() == data
    for effect in data["effects"]:
        assert len(effect["values"]) == len(effect["means"]) == len(effect["deviations"])
    assert len(data["stopped"]) == sum(run.status is Status.STOPPED for run in history)


def test_of_a_search_that_has_hardly_begun_it_says_nothing():
    empty = insight_of(History(SPACE, EPOCHS))
    assert (empty.effects, empty.interactions, empty.agreements, empty.stopped) == ([], [], [], [])
    assert empty.regret is None
    one = History(SPACE, EPOCHS)
    one.begin(0, SPACE.baseline())
    one.record(0, 1, 0.5)
    assert insight_of(one).effects == []


def test_trials_that_diverged_count_as_the_worst():
    history = planted(0, trials=60, scheduler="none")
    before = {effect.name: effect for effect in insight_of(history).effects}
    for run in history:
        if run.params["dropout"] > 0.35:
            run.scores.clear()
            run.status, run.diverged = Status.FAILED, True
    after = {effect.name: effect for effect in insight_of(history).effects}
    assert not before["dropout"].told
    assert after["dropout"].told
    assert after["dropout"].worst > 0.35

"""Studies that start from earlier ones of the store."""

from __future__ import annotations

import pytest

from search.decisions.history import History
from search.forecast.forecast import Forecast
from search.ledger import Ledger
from search.memory import WARM_START, remember
from search.register import find_study
from spaces import InputError

QUICK = {"trainable": "tests.search.parts:Faulty", "finalists": 0, "workers": 2, "seed": 5}


def test_a_study_starts_from_an_earlier_one_of_the_store(small_study):
    first = small_study("first", trials=4, **QUICK).run()
    second = small_study("second", trials=3, warm_start="all", **QUICK)
    result = second.run()
    best = max((trial for trial in first.trials if trial.state == "COMPLETE"), key=lambda trial: trial.score)
    assert result.trials[0].params == second.spec.search_space().baseline()
    ledger = Ledger(find_study(second.store, "second"), second.spec.search_space())
    assert ledger.study.user_attrs[WARM_START] == ["first"]  # "all" is settled when the study begins
    recommended = Forecast(0, remember(ledger, second.spec, second.store)).recommended(
        History(ledger.space, 9)
    )
    assert recommended[0] == best.params
    assert [trial.params for trial in result.trials[1 : 1 + len(recommended)]] == recommended[:2]


def test_what_a_study_cannot_start_from_is_said_before_anything_begins(small_study):
    with pytest.raises(InputError, match="there is no study 'nowhere'"):
        small_study("a", warm_start="nowhere", **QUICK).run()
    with pytest.raises(InputError, match="names itself"):
        small_study("a", warm_start="a", **QUICK).run()
    with pytest.raises(InputError, match="`warm_start` needs `searcher: default`, but got searcher='tpe'"):
        small_study("a", warm_start="b", searcher="tpe")

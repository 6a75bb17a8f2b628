"""One kill in every run of the tests; all kinds with `-m chaos`; sixty-three, and their table, with `make chaos`."""

from __future__ import annotations

import pytest

from tests.chaos.kills import KINDS, disturb

SECONDS = 30.0
"""About what the study takes that is killed."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "number",
    [
        pytest.param(number, id=kind, marks=[] if kind == "node" else pytest.mark.chaos)
        for number, kind in enumerate(KINDS)
    ],
)
def test_the_same_command_goes_on_after_a_kill(number, tmp_path):
    outcome = disturb(number, tmp_path, {}, SECONDS)
    assert outcome.wrong == []

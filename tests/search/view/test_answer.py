from collections.abc import Sequence

from optuna.trial import TrialState

from search.answer.answer import Answer, Confirmed
from search.answer.hits import Hits
from search.result import StudyResult, summarise
from tests.search.view.parts import Feed, a_result, flat, make_spec, shown


def an_answer(
    winner: Sequence[float], baseline: Sequence[float], openings: Sequence[str] = ("now",)
) -> Answer:
    ours = Confirmed("trial 9", 9, {"strategy": "full"}, [], [0.96, 0.95, 0.955], winner)
    theirs = Confirmed("baseline", 0, {}, [], [0.94, 0.95, 0.945], baseline)
    return Answer(ours, theirs, [ours], optimism=0.0235, openings=openings)


def test_the_answer_in_sentences() -> None:
    text = flat(shown(a_result(an_answer([0.973, 0.969, 0.977], [0.951, 0.953, 0.949]))))
    assert "12 trials: 4 COMPLETE, 7 PRUNED, 1 FAIL; 130 epochs trained, 168 saved by pruning." in text
    assert "Winner: trial 9" in text
    assert (
        "The winner's mean test accuracy is 97.3 % ± 1.0 % (95 % interval over 3 seeds; seeds from 96.9 % to 97.7 %)."
        in text
    )
    assert "The baseline's, trained the same way, is 95.1 % ± 0.5 %" in text
    assert "The difference is +2.20 points ± 1.49 points (95 % interval, paired by seed, n = 3)." in text
    assert "The winner is above the baseline." in text
    assert (
        "The search's best score was 0.978; on new seeds its winner reaches 0.955 on average, so the search "
        "was 0.024 too hopeful." in text
    )
    assert "was opened" not in text
    assert "finetune-search confirm" not in text
    assert "finetune-search best digits" in text
    assert "finetune-search ui" in text
    assert "optuna.db" in text


def test_the_answer_is_honest_when_there_is_little_to_say() -> None:
    close = flat(shown(a_result(an_answer([0.95, 0.96, 0.94], [0.945, 0.95, 0.95]))))
    assert "too close to tell: the interval contains zero" in close
    assert "If difference and spread stay as they are, 153 seeds would tell, 300 trainings more." in close
    assert "finetune-search confirm digits --seeds 153 # tell the winner from the baseline" in close
    assert "above the baseline" not in close
    below = flat(shown(a_result(an_answer([0.90, 0.91, 0.90], [0.95, 0.96, 0.95]))))
    assert "The winner is below the baseline: take the baseline." in below
    single = flat(shown(a_result(an_answer([0.95], [0.90]))))
    assert "95.0 % (one seed, so its spread is unknown)" in single
    assert "With a single seed this is too close to tell" in single
    untested = flat(shown(a_result(an_answer([], [], ()))))
    assert "The winner's mean best validation score is 0.955 ± 0.012" in untested
    assert "The test split was not opened" in untested
    twice = flat(shown(a_result(an_answer([0.95], [0.9], ("2026-01-01", "2026-01-02")))))
    assert "was opened 2 times (2026-01-01, 2026-01-02)" in twice


def test_what_test_images_leave_open_is_said() -> None:
    def seen(name: str, *rights: str) -> Confirmed:
        hits = [Hits(bytes(map(int, right)) * 10) for right in rights]
        return Confirmed(name, 1, {}, [], [0.9] * len(hits), [one.accuracy for one in hits], hits)

    ours = seen("trial 1", "1111101101", "1111101101", "1111101101")
    close = Answer(ours, seen("baseline", "1011101101", "1011101101", "1011101101"), [ours], 0.0)
    # A tenth of 100 images, and no spread over seeds: 0.1 ± 1.96 · √(0.09/99).
    assert "+10.00 points ± 5.91 points (95 % interval, paired by seed and image, n = 3)" in flat(
        shown(a_result(close))
    )
    few = Answer(ours, seen("baseline", "1011111101", "1011111101", "1011111111"), [ours], 0.0)
    assert (
        "No number of seeds would tell: with so small a difference the test split's 100 images are too few"
        in flat(shown(a_result(few)))
    )
    same = flat(shown(a_result(Answer(ours, seen("baseline", *["1111101101"] * 3), [ours], 0.0))))
    assert "too close to tell: the interval contains zero. No difference was seen at all." in same


def test_a_baseline_that_wins_is_called_so() -> None:
    baseline = Confirmed("baseline", 0, {}, [], [0.95, 0.94], [0.95, 0.96])
    text = flat(shown(a_result(Answer(baseline, baseline, [baseline], -0.01))))
    assert "The winner is the baseline itself" in text
    assert "so the search was not too hopeful" in text


def test_no_answer_is_said_plainly() -> None:
    assert "There is no confirmed answer: the study has none (finalists: 0)" in flat(
        shown(a_result(), spec=make_spec(finalists=0))
    )
    assert "There is no confirmed answer: its confirmation is not over" in flat(shown(a_result()))
    feed = Feed()
    feed.trial(TrialState.FAIL, reason="diverged: [red]loss[/red]")
    failed = shown(StudyResult("digits", [summarise(trial) for trial in feed.known()]))
    assert "There is no answer: no trial is COMPLETE. The first failure: diverged: [red]loss[/red]" in flat(
        failed
    )
    assert "finetune-search best" not in failed
    assert "No trial has begun." in shown(StudyResult("digits", []))

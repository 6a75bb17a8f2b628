import io

from optuna.trial import TrialState

from search.answer.race import Race
from search.view.lines import LineView
from search.view.progress import CONFIRM
from tests.search.view.parts import RACE, SEARCH, SELF_ENDED, Feed, curve, make_spec


def test_one_line_an_event() -> None:
    out = io.StringIO()
    view = LineView(out)
    feed = Feed(view)
    with view:
        view.on_phase("preparing data and weights")
        for done in range(201):
            view.on_progress(done, 200)
        view.on_study(make_spec(), [], 2)
        view.on_phase("")
        feed.trial(TrialState.COMPLETE, *curve(0.934))
        feed.trial(TrialState.PRUNED, 0.3, 0.812, 0.41)
        feed.trial(TrialState.FAIL, 0.5, reason="diverged: loss was nan\nat epoch 2")
        feed.trial(TrialState.FAIL, reason="")
        feed.trial(TrialState.COMPLETE, 0.4, reason=SELF_ENDED)
        view.on_race(RACE, 4)
        feed.enqueue("trial 0", 7)
        feed.trial(TrialState.COMPLETE, *curve(0.92), phase=CONFIRM)
        view.on_race(Race(["trial 0", "baseline"], 3, over=False), 5)
        view.on_race(Race(["trial 0"], 3, over=True), 7)
        view.on_trouble("MLflow is away")
    lines = out.getvalue().splitlines()
    assert lines[0] == "preparing data and weights"
    assert lines[1:11] == [f"preparing data and weights: {tenth}0 %" for tenth in range(1, 11)]
    assert lines[11] == (
        "study digits begins: data digits, model glyphs, space finetune, 10 trials, at most 27 epochs a trial, "
        "2 workers"
    )
    assert lines[12].startswith(
        "trial 0 COMPLETE at epoch 27, score 0.930, best 0.930 (trial 0) [1/10 trials, 0 running"
    )
    assert lines[13].startswith(
        "trial 1 PRUNED at epoch 3, score 0.812, best 0.930 (trial 0) [2/10 trials, 0 running, ~"
    )
    assert lines[13].endswith(" left]")
    assert lines[14].startswith(
        "trial 2 FAIL at epoch 1, score 0.500: diverged: loss was nan at epoch 2, best"
    )
    assert lines[15].startswith(
        "trial 3 FAIL at epoch 0: no reason is known, best 0.930 (trial 0) [4/10 trials"
    )
    assert lines[16].startswith(f"trial 4 COMPLETE at epoch 1, score 0.400: {SELF_ENDED}, best 0.930")
    assert lines[17] == (
        "search over: 2 COMPLETE, 1 PRUNED, 2 FAIL; trial 0 and baseline race with 2 new seeds each"
    )
    assert lines[18].startswith(
        "confirmation 0 (trial 0) COMPLETE at epoch 27, score 0.916 [1/4 trainings, 0 running"
    )
    assert lines[19:] == [
        "trial 0 and baseline race with 3 new seeds each",
        "trial 0 is ahead after 3 new seeds, and is measured with others beside the baseline",
        "trouble: MLflow is away",
    ]
    assert "\x1b" not in out.getvalue()


def test_a_pause_is_a_line_and_is_counted_until_the_trial_goes_on() -> None:
    out = io.StringIO()
    with LineView(out) as view:
        feed = Feed(view)
        view.on_study(make_spec(), [], 2)
        number = feed.start()
        feed.records(number, 0.3, 0.8, 0.7)
        feed.pause(number)
        feed.trial(TrialState.PRUNED, 0.1)
        view.on_start(SEARCH, feed.ledgers[SEARCH].trial(number), 3)
        feed.trial(TrialState.PRUNED, 0.2)
    lines = out.getvalue().splitlines()
    assert lines[1].startswith(
        "trial 0 pauses at epoch 3, score 0.800, best 0.800 (trial 0) [0/10 trials, 0 running, 1 paused"
    )
    assert "[1/10 trials, 0 running, 1 paused" in lines[2]
    assert "[2/10 trials, 1 running, ~" in lines[3]


def test_limits_that_the_confirmation_shares_are_said_to_be_its_too() -> None:
    assert make_spec(trials=9).limits() == "9 trials"
    assert make_spec(trials=None, time=60.0).limits() == "60 seconds with the confirmation"
    assert make_spec(trials=9, budget_epochs=99).limits() == "9 trials or 99 epochs with the confirmation"
    assert make_spec(trials=None, time=60.0, finalists=0).limits() == "60 seconds"


def test_a_study_that_goes_on_says_what_it_has() -> None:
    past = Feed()
    past.trial(TrialState.COMPLETE, *curve(0.93))
    past.trial(TrialState.PRUNED, 0.3)
    out = io.StringIO()
    LineView(out).on_study(make_spec(), past.known(), 1)
    assert out.getvalue().startswith("study digits goes on with 1 COMPLETE, 1 PRUNED: data digits, ")


def test_a_stream_of_ascii_gets_every_line() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    LineView(out).on_trouble("Ordner ›bilder‹ fehlt")
    assert raw.getvalue() == b"trouble: Ordner \\u203abilder\\u2039 fehlt\n"

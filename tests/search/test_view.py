"""What the user sees: fed with what a real ledger says of real trials."""

import errno
import io
import math
import random
import time
from collections.abc import Sequence
from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from search.ledger import Ledger, make_study
from search.result import Answer, Confirmed, StudyResult, summarise
from search.spec import StudySpec
from search.store.layout import Store
from search.view import words
from search.view.answer import render_answer
from search.view.lines import LineView
from search.view.live import LiveView, make_view
from search.view.panel import draw
from search.view.progress import CONFIRM, SEARCH, Progress
from search.view.view import View
from spaces import Choice, Float, Int, SearchSpace, Switch
from trainables.protocol import EpochRecord

BUDGET = 27
SPACE = SearchSpace(
    {
        "strategy": Switch(
            {
                "full": SearchSpace({"lr": Float(1e-5, 1e-2, log=True)}),
                "layer_decay": SearchSpace({"lr": Float(1e-5, 1e-2, log=True), "ratio": Float(0.1, 1.0)}),
                "gradual_unfreezing": SearchSpace(
                    {"lr": Float(1e-5, 1e-2, log=True), "unfrozen_by": Float(0.05, 0.35)}
                ),
            }
        ),
        "batch_size": Int(8, 64, log=True),
        "weight_decay": Float(1e-6, 1e-1, log=True),
        "dropout": Float(0.0, 0.5),
        "augmentation_strength": Float(0.0, 1.0),
        "optimizer": Choice(("adamw", "sgd")),
    }
)


class Feed:
    """A study in memory whose ledger is written and whose view is told, as the driver does both."""

    def __init__(self, *views: View, seed: int = 0) -> None:
        self.views = views
        self.ledgers = {
            phase: Ledger(
                make_study(
                    optuna.storages.InMemoryStorage(), phase, optuna.samplers.RandomSampler(seed=seed)
                ),
                SPACE,
            )
            for phase in (SEARCH, CONFIRM)
        }

    def enqueue(self, label: str, seed: int) -> None:
        self.ledgers[CONFIRM].enqueue(SPACE.baseline(), candidate=label, seed=seed)

    def start(self, phase: str = SEARCH) -> int:
        number = self.ledgers[phase].ask(lambda number: number).number
        for view in self.views:
            view.on_start(phase, self.ledgers[phase].trial(number), 0)
        return number

    def records(self, number: int, *scores: float, phase: str = SEARCH, first: int = 1) -> None:
        for epoch, score in enumerate(scores, start=first):
            record = EpochRecord(epoch, score, {"val/loss": 0.3, "epoch_seconds": 2.5})
            self.ledgers[phase].record(number, record)
            for view in self.views:
                view.on_record(phase, number, record)

    def end(self, number: int, state: TrialState, reason: str = "", phase: str = SEARCH) -> FrozenTrial:
        trial = self.ledgers[phase].finish(number, state, reason)
        for view in self.views:
            view.on_end(phase, trial)
        return trial

    def trial(self, state: TrialState, *scores: float, reason: str = "", phase: str = SEARCH) -> int:
        number = self.start(phase)
        self.records(number, *scores, phase=phase)
        self.end(number, state, reason, phase)
        return number

    def known(self) -> list[FrozenTrial]:
        return self.ledgers[SEARCH].trials()


class Clocked:
    """A `Progress` as a view, at a time that the test sets."""

    def __init__(self) -> None:
        self.progress, self.now = Progress(), 0.0

    def __getattr__(self, name: str):
        method = getattr(self.progress, name)
        return lambda *arguments: method(*arguments, self.now)


def curve(top: float, epochs: int = BUDGET) -> list[float]:
    return [top * (1 - math.exp(-epoch / 5)) for epoch in range(1, epochs + 1)]


def make_spec(**changes: object) -> StudySpec:
    return StudySpec.model_validate({"name": "digits", "epochs": BUDGET, "trials": 10, **changes})


# -- words ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0012, "1.2e-3"),
        (1e-5, "1e-5"),
        (0.01, "0.01"),
        (0.35, "0.35"),
        (0.123456, "0.12"),
        (0.9995, "0.9995"),
        (0.966, "0.97"),
        (2.0, "2"),
        (0.0, "0"),
        (1234.5, "1234"),
        (12.5, "12"),
        (250000.0, "2.5e5"),
        (-0.001, "-1e-3"),
        (32, "32"),
        (True, "true"),
        ("adamw", "adamw"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_values_are_written_as_people_write_them(value: object, text: str) -> None:
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (80, "1:20"), (3599.6, "1:00:00"), (7280, "2:01:20"), (None, "-")]
)
def test_times_are_written_as_on_a_clock(seconds: float | None, text: str) -> None:
    assert words.clock(seconds) == text


def test_a_choice_and_the_options_of_its_branch_are_one_entry() -> None:
    params = {
        "batch_size": 32,
        "strategy": "layer_decay",
        "strategy.layer_decay.lr": 0.0012,
        "strategy.layer_decay.ratio": 0.1,
    }
    assert words.folded(params) == {"batch_size": "32", "strategy": "layer_decay lr=1.2e-3 ratio=0.1"}
    assert words.recipe(params) == "layer_decay lr=1.2e-3 ratio=0.1, batch_size=32"
    assert words.learning_rate(params) == "1.2e-3"
    assert words.learning_rate({"depth": 3}) == words.NONE


def test_escape_sequences_do_not_reach_a_terminal() -> None:
    assert words.one_line("a\x1b[31mb\r\n  c\x07") == "a [31mb c"
    assert len(words.one_line("x" * 1000)) == 300


# -- bookkeeping ---------------------------------------------------------------------------------------


def test_counts_epochs_and_what_pruning_saved() -> None:
    view = Clocked()
    feed = Feed(view)
    view.on_study(make_spec(), [], 2)
    feed.trial(TrialState.COMPLETE, *curve(0.93))
    feed.trial(TrialState.PRUNED, 0.3, 0.4, 0.41)
    feed.trial(TrialState.PRUNED, *curve(0.5, 9))
    feed.trial(TrialState.FAIL, 0.99, reason="diverged")
    running = feed.start()
    feed.records(running, 0.2, 0.7, 0.6)
    progress = view.progress
    assert progress.counts() == {"COMPLETE": 1, "PRUNED": 2, "FAIL": 1, "RUNNING": 1}
    assert (progress.done(), progress.total()) == (4, 10)
    assert progress.saved() == (BUDGET - 3) + (BUDGET - 9)
    assert progress.epochs() == BUDGET + 3 + 9 + 1 + 3
    [entry] = progress.running()
    assert (entry.number, entry.epochs, entry.last, entry.best) == (4, 3, 0.6, 0.7)
    assert entry.params == feed.ledgers[SEARCH].trial(4).params


def test_the_best_is_a_complete_trial_once_there_is_one_and_never_a_failed_one() -> None:
    view = Clocked()
    feed = Feed(view)
    view.on_study(make_spec(), [], 1)
    assert view.progress.best() is None
    feed.trial(TrialState.FAIL, 0.99)
    assert view.progress.best() is None
    pruned = feed.trial(TrialState.PRUNED, 0.9, 0.8)
    assert view.progress.best().number == pruned
    assert view.progress.best().best == 0.9
    complete = feed.trial(TrialState.COMPLETE, *curve(0.7))
    assert view.progress.best().number == complete


def test_a_resumed_study_counts_what_the_ledger_has() -> None:
    past = Feed()
    past.trial(TrialState.COMPLETE, *curve(0.93))
    past.trial(TrialState.PRUNED, 0.3, 0.4, 0.41)
    left = past.start()
    past.records(left, 0.5, 0.6)
    view = Clocked()
    view.on_study(make_spec(), past.known(), 1)
    progress = view.progress
    assert (progress.done(), progress.epochs(), progress.saved()) == (2, BUDGET + 3 + 2, BUDGET - 3)
    assert progress.running() == []  # not before a worker has it
    view.on_start(SEARCH, past.ledgers[SEARCH].trial(left), 2)
    past.views = (view,)
    past.records(left, 0.65, first=3)
    [entry] = progress.running()
    assert (entry.number, entry.epochs, entry.best) == (left, 3, 0.65)
    assert progress.counts() == {"COMPLETE": 1, "PRUNED": 1, "RUNNING": 1}


def test_the_time_left_is_epochs_to_come_over_the_measured_rate() -> None:
    view = Clocked()
    feed = Feed(view)
    view.on_study(make_spec(trials=6, finalists=0), [], 1)
    for length in (3, 9):
        number = feed.start()
        for epoch in range(1, length + 1):
            assert view.progress.seconds_left(view.now) is None  # one trial at most has ended
            view.now += 2.0
            feed.records(number, 0.1 * epoch, first=epoch)
        feed.end(number, TrialState.PRUNED)
    assert view.progress.rate(view.now) == pytest.approx(0.5)
    assert view.progress.seconds_left(view.now) == pytest.approx(4 * 6 / 0.5)  # 4 trials of 6 epochs
    number = feed.start()
    view.now += 2.0
    feed.records(number, 0.1)
    assert view.progress.seconds_left(view.now) == pytest.approx((3 * 6 + 5) / 0.5)


def test_the_confirmation_is_part_of_the_time_left() -> None:
    view = Clocked()
    feed = Feed(view)
    view.on_study(make_spec(trials=2, finalists=3, finalist_seeds=2), [], 1)
    for seed in range(2):
        feed.enqueue("baseline", seed)
    for _ in range(2):
        number = feed.start()
        for epoch in range(1, BUDGET + 1):
            view.now += 1.0
            feed.records(number, 0.1, first=epoch)
        feed.end(number, TrialState.COMPLETE)
    assert view.progress.total(CONFIRM) == 8
    assert view.progress.seconds_left(view.now) == pytest.approx(8 * BUDGET)
    view.on_finalists(4)
    number = feed.start(CONFIRM)
    view.now += 1.0
    feed.records(number, 0.1, phase=CONFIRM)
    assert view.progress.seconds_left(view.now) == pytest.approx(4 * BUDGET - 1)
    assert view.progress.running(CONFIRM)[0].label == "baseline"


def test_a_time_limit_bounds_the_time_left() -> None:
    view = Clocked()
    feed = Feed(view)
    view.on_study(make_spec(trials=1000, finalists=0, time=60.0), [], 1)
    for _ in range(2):
        number = feed.start()
        for epoch in range(1, 11):
            view.now += 1.0
            feed.records(number, 0.1, first=epoch)
        feed.end(number, TrialState.PRUNED)
    assert view.progress.seconds_left(view.now) == pytest.approx(40.0)


def test_a_confirmation_that_goes_on_counts_what_an_earlier_driver_finished() -> None:
    past = Feed()
    for seed in range(4):
        past.enqueue("baseline", seed)
    for _ in range(2):
        past.trial(TrialState.COMPLETE, *curve(0.9), phase=CONFIRM)
    view = Clocked()
    past.views = (view,)
    view.on_study(make_spec(), [], 1)
    view.on_finalists(4)
    past.start(CONFIRM)
    assert (view.progress.done(CONFIRM), view.progress.total(CONFIRM)) == (2, 4)


# -- lines ---------------------------------------------------------------------------------------------


SELF_ENDED = "ended by its own rule at epoch 1: no improvement by 0.001 in 5 epochs"


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
        view.on_finalists(4)
        feed.enqueue("trial 0", 7)
        feed.trial(TrialState.COMPLETE, *curve(0.92), phase=CONFIRM)
        view.on_trouble("MLflow is away")
    lines = out.getvalue().splitlines()
    assert lines[0] == "preparing data and weights"
    assert lines[1:11] == [f"making weights: {tenth}0 %" for tenth in range(1, 11)]
    assert lines[11] == (
        "study digits begins: data digits, model glyphs, space finetune, 10 trials of at most 27 epochs, "
        "2 workers"
    )
    assert lines[12].startswith(
        "trial 0 COMPLETE at epoch 27, score 0.930, best 0.930 (trial 0) [1/10, 0 running"
    )
    assert lines[13].startswith(
        "trial 1 PRUNED at epoch 3, score 0.812, best 0.930 (trial 0) [2/10, 0 running, ~"
    )
    assert lines[13].endswith(" left]")
    assert lines[14].startswith(
        "trial 2 FAIL at epoch 1, score 0.500: diverged: loss was nan at epoch 2, best"
    )
    assert lines[15].startswith("trial 3 FAIL at epoch 0: no reason is known, best 0.930 (trial 0) [4/10")
    assert lines[16].startswith(f"trial 4 COMPLETE at epoch 1, score 0.400: {SELF_ENDED}, best 0.930")
    assert lines[17].startswith("search over: 2 COMPLETE, 1 PRUNED, 2 FAIL; 4 trainings with new seeds")
    assert lines[18].startswith("confirmation 0 (trial 0) COMPLETE at epoch 27, score 0.916 [1/4, 0 running")
    assert lines[19] == "trouble: MLflow is away"
    assert len(lines) == 20
    assert "\x1b" not in out.getvalue()


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


# -- the panel -----------------------------------------------------------------------------------------


def drawn(progress: Progress, now: float, width: int = 80, height: int = 24) -> str:
    console = Console(file=io.StringIO(), width=width, height=height, record=True, highlight=False)
    console.print(draw(progress, now, width, height))
    return console.export_text()


def busy_study(running: int = 2) -> Clocked:
    view = Clocked()
    feed = Feed(view)
    view.on_study(make_spec(trials=40), [], running)
    for trial in range(6):
        view.now += 9.0
        feed.trial(TrialState.COMPLETE if trial % 3 == 0 else TrialState.PRUNED, *curve(0.9 + trial / 100))
    feed.trial(TrialState.FAIL, reason="diverged")
    for _ in range(running):
        feed.records(feed.start(), 0.6, 0.5)
    return view


def test_the_panel_says_where_the_study_stands() -> None:
    view = busy_study()
    text = drawn(view.progress, view.now)
    lines = text.splitlines()
    assert all(len(line) == 76 for line in lines)  # room for what the terminal echoes
    assert len(lines) <= 23
    assert "study digits · data digits · model glyphs" in lines[0]
    assert "7/40 trials" in text
    assert "COMPLETE 2  PRUNED 4  FAIL 1  running 2" in text
    assert "best so far 0.926  trial 3" in text
    assert f"{6 * BUDGET + 4} epochs trained, 0 saved by pruning" in text
    rows = [line for line in lines if "2/27" in line]
    assert [row.split()[1] for row in rows] == ["7", "8"]
    assert all(" 0.500  0.600 " in row for row in rows)


@pytest.mark.parametrize(("width", "height"), [(24, 24), (40, 24), (80, 14), (80, 24), (200, 60)])
def test_the_panel_fits_any_terminal(width: int, height: int) -> None:
    view = busy_study(running=30)
    lines = drawn(view.progress, view.now, width, height).splitlines()
    assert max(len(line) for line in lines) <= width
    assert len(lines) < max(height, 13)
    assert "more running" in "".join(lines)


def test_the_panel_of_a_confirmation() -> None:
    view = busy_study(running=0)
    feed = Feed(view)
    feed.enqueue("baseline", 1)
    feed.enqueue("trial 3", 1)
    view.on_finalists(12)
    feed.trial(TrialState.COMPLETE, *curve(0.9), phase=CONFIRM)
    feed.records(feed.start(CONFIRM), 0.7, phase=CONFIRM)
    text = drawn(view.progress, view.now)
    assert "1/12 trainings" in text
    assert "COMPLETE 1  running 1" in text
    assert "(search: 2 COMPLETE, 4 PRUNED, 1 FAIL)" in text
    assert "3 again" in text


def test_the_panel_before_the_first_trial() -> None:
    view = Clocked()
    assert "finetune-search" in drawn(view.progress, 0.0)
    view.on_phase("preparing data and weights")
    view.on_progress(30, 120)
    assert "preparing data and weights: 25 %" in drawn(view.progress, 0.0)


# -- the live view -------------------------------------------------------------------------------------


def test_off_a_terminal_the_live_view_prints_only_what_went_wrong() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=False, highlight=False)
    with LiveView(console) as view:
        view.on_study(make_spec(), [], 1)
        feed = Feed(view)
        feed.trial(TrialState.COMPLETE, *curve(0.9))
        feed.trial(TrialState.FAIL, 0.5, reason="diverged: [bold]loss[/] was nan")
        view.on_trouble("MLflow is away")
    assert console.file.getvalue().splitlines() == [
        "trial 1 FAIL at epoch 1, score 0.500: diverged: [bold]loss[/] was nan",
        "trouble: MLflow is away",
    ]


def test_on_a_terminal_the_panel_is_drawn_and_taken_away() -> None:
    console = Console(
        file=io.StringIO(), width=80, height=24, force_terminal=True, no_color=True, highlight=False
    )
    with LiveView(console) as view:
        view.on_study(make_spec(), [], 1)
        Feed(view).trial(TrialState.FAIL, reason="diverged")
        deadline = time.monotonic() + 10
        while "FAIL 1" not in console.file.getvalue() and time.monotonic() < deadline:
            time.sleep(0.02)
    text = console.file.getvalue()
    assert "study digits" in text
    assert "trial 0 FAIL at epoch 0: diverged" in text
    assert text.rstrip().endswith("\x1b[1A\x1b[2K")  # the last thing it did was to clear its last line
    assert "\x1b[?25h" in text  # and the cursor is back
    assert "\x1b[31m" not in text


def test_a_call_costs_microseconds_even_if_the_terminal_stands_still() -> None:
    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            time.sleep(0.05)
            return super().write(text)

    with LiveView(Console(file=Stuck(), width=80, height=24, force_terminal=True)) as view:
        view.on_study(make_spec(), [], 1)
        record = EpochRecord(1, 0.5)
        took = []
        for number in range(500):
            before = time.perf_counter()
            view.on_record(SEARCH, number, record)
            took.append(time.perf_counter() - before)
    assert sorted(took)[250] < 1e-3


@pytest.mark.parametrize("kind", ["lines", "live"])
def test_no_method_raises_whatever_it_is_told(kind: str) -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "the terminal is gone")

    for out in (io.StringIO(), Broken()):
        console = Console(file=out, width=80, force_terminal=True)
        odd = Feed(seed=random.randrange(100))
        empty = odd.trial(TrialState.FAIL)
        with LineView(out) if kind == "lines" else LiveView(console) as view:
            view.on_end(SEARCH, odd.ledgers[SEARCH].trial(empty))  # before the study was told
            view.on_record("nowhere", 3, EpochRecord(1, 0.5))
            view.on_record(SEARCH, 99, EpochRecord(1, float("nan"), {"val/loss": float("nan")}))
            view.on_progress(0, 0)
            view.on_study(make_spec(finalists=0), odd.known(), 1)
            feed = Feed(view)
            number = feed.start()
            feed.records(number, float("nan"), 0.5, float("inf"))
            feed.end(number, TrialState.PRUNED)
            view.on_finalists(0)
            view.on_trouble("[/] \x1b[2J \ud800")
            view.on_result(StudyResult("digits", []))


def test_a_view_for_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    def terminal(encoding: str = "utf-8") -> Terminal:
        return Terminal(io.BytesIO(), encoding=encoding)

    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert isinstance(make_view(terminal()), LiveView)
    assert isinstance(make_view(terminal("ascii")), LineView)
    assert isinstance(make_view(io.StringIO()), LineView)
    monkeypatch.setenv("CI", "true")
    assert isinstance(make_view(terminal()), LineView)
    monkeypatch.setenv("CI", "false")
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_view(terminal()), LineView)


def test_forty_metrics_an_epoch_do_not_clutter_the_panel() -> None:
    rich = {**{f"lr/layer_{index}": 1e-3 for index in range(40)}, "val/loss": math.nan, "lr": math.inf}
    panels = []
    for metrics in ({}, rich):
        clocked = busy_study()
        number = clocked.progress.running()[0].number
        clocked.on_record(SEARCH, number, EpochRecord(9, 0.7, metrics))
        panels.append(drawn(clocked.progress, 20.0))
    assert panels[0] == panels[1]
    assert "lr/layer" not in panels[1]


# -- the answer ----------------------------------------------------------------------------------------


def shown(
    result: StudyResult, width: int = 100, spec: StudySpec | None = None, store: Store | None = None
) -> str:
    console = Console(file=io.StringIO(), width=width, record=True, highlight=False)
    render_answer(result, spec or make_spec(), store or Store(Path("mlruns")), console)
    return console.export_text()


def a_result(answer: Answer | None = None, trials: int = 12) -> StudyResult:
    feed = Feed()
    for number in range(trials):
        if number % 3 == 0:
            feed.trial(TrialState.COMPLETE, *curve(0.90 + number / 100))
        elif number % 5 == 4:
            feed.trial(TrialState.FAIL, 0.2, reason="diverged: loss was nan at epoch 2, step 3")
        else:
            feed.trial(TrialState.PRUNED, 0.3, 0.4, 0.5)
    trials_of = [summarise(trial) for trial in feed.known()]
    return StudyResult("digits", trials_of, answer, BUDGET, tuple(SPACE.leaves()))


def an_answer(
    winner: Sequence[float], baseline: Sequence[float], openings: Sequence[str] = ("now",)
) -> Answer:
    ours = Confirmed("trial 9", 9, {"strategy": "full"}, [0.96, 0.95, 0.955], winner)
    theirs = Confirmed("baseline", 0, {}, [0.94, 0.95, 0.945], baseline)
    return Answer(ours, theirs, [ours], optimism=0.0235, openings=openings)


def flat(text: str) -> str:
    return " ".join(text.split())


def test_the_answer_in_sentences() -> None:
    text = flat(shown(a_result(an_answer([0.973, 0.969, 0.977], [0.951, 0.953, 0.949]))))
    assert "12 trials: 4 COMPLETE, 7 PRUNED, 1 FAIL; 130 epochs trained, 168 saved by pruning." in text
    assert "Winner: trial 9" in text
    assert (
        "The winner's mean test accuracy is 97.3 % ± 0.4 % (standard deviation over 3 seeds, "
        "96.9 % to 97.7 %)." in text
    )
    assert "The baseline's, trained the same way, is 95.1 % ± 0.2 %" in text
    assert "The difference is +2.20 points ± 1.49 points (95 % interval, paired by seed, n = 3)." in text
    assert "The winner is above the baseline." in text
    assert (
        "The search's best score was 0.978; on new seeds its winner reaches 0.955 on average, so the search "
        "was 0.024 too hopeful." in text
    )
    assert "was opened" not in text
    assert "finetune-search best digits" in text
    assert "finetune-search ui" in text
    assert "optuna.db" in text


def test_the_answer_is_honest_when_there_is_little_to_say() -> None:
    close = flat(shown(a_result(an_answer([0.95, 0.96, 0.94], [0.945, 0.95, 0.95]))))
    assert "too close to tell" in close
    assert "above the baseline" not in close
    below = flat(shown(a_result(an_answer([0.90, 0.91, 0.90], [0.95, 0.96, 0.95]))))
    assert "The winner is below the baseline: take the baseline." in below
    single = flat(shown(a_result(an_answer([0.95], [0.90]))))
    assert "95.0 % (one seed, so its spread is unknown)" in single
    assert "With a single seed this is too close to tell" in single
    untested = flat(shown(a_result(an_answer([], [], ()))))
    assert "The winner's mean best validation score is 0.955 ± 0.005" in untested
    assert "The test split was not opened" in untested
    twice = flat(shown(a_result(an_answer([0.95], [0.9], ("2026-01-01", "2026-01-02")))))
    assert "was opened 2 times (2026-01-01, 2026-01-02)" in twice


def test_a_baseline_that_wins_is_called_so() -> None:
    baseline = Confirmed("baseline", 0, {}, [0.95, 0.94], [0.95, 0.96])
    text = flat(shown(a_result(Answer(baseline, baseline, [baseline], -0.01))))
    assert "The winner is the baseline itself" in text
    assert "so the search was not too hopeful" in text


def test_no_answer_is_said_plainly() -> None:
    assert "There is no confirmed answer: the study has none (finalists: 0)" in flat(
        shown(a_result(), spec=make_spec(finalists=0))
    )
    assert "There is no confirmed answer: none of its trainings is COMPLETE yet" in flat(shown(a_result()))
    feed = Feed()
    feed.trial(TrialState.FAIL, reason="diverged: [red]loss[/red]")
    failed = shown(StudyResult("digits", [summarise(trial) for trial in feed.known()]))
    assert "There is no answer: no trial is COMPLETE. The first failure: diverged: [red]loss[/red]" in flat(
        failed
    )
    assert "finetune-search best" not in failed
    assert "No trial has begun." in shown(StudyResult("digits", []))


@pytest.mark.parametrize("width", [40, 80, 100, 120, 200])
def test_no_row_of_the_leaderboard_is_wrapped(width: int) -> None:
    lines = shown(a_result(), width).splitlines()
    start = next(index for index, line in enumerate(lines) if "state" in line and "score" in line)
    rows = lines[start + 1 : start + 11]
    assert all(line.split()[1] in {"COMPLETE", "PRUNED", "FAIL"} for line in rows)
    assert all(len(line) <= width for line in rows)
    figures = ["9", "COMPLETE", "0.986", "27", "1:08"]
    assert rows[0].split()[: 5 if width >= 80 else 3] == figures[: 5 if width >= 80 else 3]
    if width >= 80:
        assert any("lr=" in line for line in rows)
        assert not any("…" in line for line in rows)
    if width == 200:
        assert "Not shown" not in "\n".join(lines)


def test_the_leaderboard_names_trials_that_ended_themselves() -> None:
    feed = Feed()
    feed.trial(TrialState.COMPLETE, *curve(0.9))
    whole = StudyResult("digits", [summarise(trial) for trial in feed.known()], epochs=BUDGET)
    assert "own rule" not in shown(whole)
    feed.trial(TrialState.COMPLETE, 0.95, reason=SELF_ENDED)
    feed.trial(TrialState.PRUNED, 0.1, reason="stopped by the scheduler at epoch 1")
    result = StudyResult("digits", [summarise(trial) for trial in feed.known()], epochs=BUDGET)
    text = flat(shown(result))
    assert "Ended by their own rule before the full budget: trial 1." in text
    assert "saved by pruning" in text
    assert result.best.number == 1
    assert list(result.dataframe()["reason"])[:2] == ["", SELF_ENDED]
    feed.trial(TrialState.COMPLETE, 0.94, reason=SELF_ENDED)
    again = StudyResult("digits", [summarise(trial) for trial in feed.known()], epochs=BUDGET)
    assert "full budget: trials 1, 3." in flat(shown(again))


def test_a_parameter_is_never_read_as_markup() -> None:
    feed = Feed()
    feed.trial(TrialState.COMPLETE, *curve(0.9))
    trial = summarise(feed.known()[0])
    odd = type(trial)(**{**vars(trial), "params": {"a.b": "[bold]x[/bold]", "[red]name": 1}})
    text = shown(StudyResult("digits", [odd], parameters=("a.b", "[red]name")), 120)
    assert "[bold]x[/bold]" in text
    assert "[red]name=1" in text


def test_what_has_to_be_typed_names_another_store_and_no_password(tmp_path: Path) -> None:
    store = Store(tmp_path / "other", optuna="postgresql://me:secret@host:5432/db")
    text = shown(a_result(), 60, store=store)
    assert f"finetune-search best digits --store {tmp_path / 'other'}" in text.replace("\n", "")
    assert "postgresql://host:5432/db" in text
    assert "secret" not in text

"""The page of a study: sound, self-contained, harmless, and with the figures that the study has."""

from __future__ import annotations

import dataclasses
import random
import time

import numpy as np
import pytest

from search.answer.answer import Answer, Confirmed
from search.hypotheses.judge import Outcome
from search.hypotheses.log import Entry
from search.insight.effects import Effect, Interaction
from search.insight.insight import Insight
from search.insight.surface import Marginal
from search.report.page import page
from search.report.report import Report
from search.result import StudyResult, TrialSummary
from search.spec import StudySpec
from search.verdicts.verdict import Verdict
from search.view import words
from search.view.answer import sentences
from spaces import Choice, Float, SearchSpace
from tests.search.insight.planted import SPACE
from tests.search.report.parts import a_report, begun, inspected, sound
from tests.search.report.reading import Node, check_sound, read, sections

SECTIONS = {
    "answer",
    "soundness",
    "verdicts",
    "mattered",
    "changes",
    "stopping",
    "course",
    "trials",
    "time",
    "onward",
    "words",
}
NASTY = '"><script>alert(1)</script><img src=http://evil onerror=x>'


def is_shares(chart: Node) -> bool:
    return str(chart.attributes["aria-label"]).startswith("Share of the variance")


def test_a_page_is_sound_and_has_every_section():
    text = page(a_report())
    root = check_sound(text)
    assert sections(root) == SECTIONS
    assert "http" not in text.replace("http-equiv", "")
    assert page(a_report()) == text
    for chart in root.all("svg"):
        assert chart.attributes["role"] == "img"
        assert chart.attributes["aria-label"]
    [head] = root.all("header")
    order = [node.attributes["id"] for node in head.all() if "id" in node.attributes]
    assert order == ["winner", "margin", "caveats", "first-verdict"]


def test_its_figures_are_those_of_the_study():
    report = a_report()
    root = read(page(report))
    answer, data = report.result.answer, report.to_dict()
    assert answer is not None
    assert answer.difference is not None
    tiles = root.by_id("margin").text
    assert f"{100 * answer.difference.value:+.2f} points± {100 * answer.difference.margin:.2f}" in tiles
    assert data["answer"]["difference"]["value"] == answer.difference.value
    assert words.percent(data["answer"]["winner"]["estimate"]["value"]) in tiles
    assert root.by_id("caveats").text == "".join(sentences(report.result, report.spec))
    assert data["sentences"] == sentences(report.result, report.spec)
    rows = root.by_id("trials").all("tr")[1:]
    assert len(rows) == len(data["trials"]) == len(report.result.trials)
    for row, trial in zip(rows, report.result.ranking(), strict=True):
        number, state, score, epochs, seconds, recipe = row.all("td")
        assert int(str(number.attributes["data-value"])) == trial.number
        told = data["trials"][trial.number]
        if trial.score is not None:
            assert float(str(score.attributes["data-value"])) == trial.score == told["score"]
        assert (
            (state.text, int(epochs.text)) == (trial.state, trial.epochs) == (told["state"], told["epochs"])
        )
        assert float(str(seconds.attributes["data-value"])) == pytest.approx(told["seconds"])
        assert words.recipe(trial.params) in recipe.text
    [chart] = [chart for chart in root.by_id("mattered").all("svg") if is_shares(chart)]
    shares = [node.text for node in chart.all("text")]
    for effect in report.insight.effects:
        assert shares[shares.index(effect.name) + 1] == f"{effect.share:.0%}"
    assert report.result.changes is not None
    drawn = root.by_id("changes").text
    for change in report.result.changes.changes:
        if change.effect is not None:
            assert f"{change.effect:+.3f}".replace("-", "−") in drawn
    details = root.by_id("answer").text
    for one in answer.finalists:
        assert " · ".join(map(words.score, one.race)) in details
        assert " · ".join(map(words.percent, one.test)) in details
    assert "The test split was opened once: 2026-01-02T10:00:00 by me on here." in details
    verdicts = root.by_id("verdicts").text
    for verdict in report.verdicts:
        assert verdict.evidence in verdicts
        assert verdict.command("planted") in verdicts


def test_parameters_that_are_told_from_chance_are_filled_and_the_others_outlined():
    report = a_report()
    assert report.insight.told
    assert report.insight.untold
    [chart] = [chart for chart in read(page(report)).by_id("mattered").all("svg") if is_shares(chart)]
    kinds = [node.attributes["class"] for node in chart.all("rect")]
    assert kinds == ["bar" if effect.told else "bar unsure" for effect in report.insight.effects]


def a_trial(
    number: int, state: str, score: float | None = None, epochs: int = 0, reason: str = ""
) -> TrialSummary:
    return TrialSummary(number, state, SPACE.baseline(), score, epochs, 1.0 * epochs, reason)


def test_a_hypothesis_and_what_came_of_it_stand_in_the_head():
    report = a_report()
    outcome = Outcome("dropout > 0.2 is <better>", "contradicted", "It is 0.1 below.")
    told = dataclasses.replace(report, result=dataclasses.replace(report.result, outcome=outcome))
    assert check_sound(page(told)).by_id("hypothesis").text == (
        "Hypothesis: dropout > 0.2 is <better>contradicted: It is 0.1 below."
    )
    assert told.to_dict()["hypothesis"]["verdict"] == "contradicted"
    assert report.to_dict()["hypothesis"] is None


def test_of_a_long_recipe_what_is_out_of_the_ordinary_stands_on_the_first_screen():
    space = SearchSpace({f"p{number}": Float(0.0, 1.0, default=0.5) for number in range(40)})
    params = space.baseline() | {"p30": 0.25, "p39": 0.75}
    result = StudyResult(
        "long", [TrialSummary(0, "COMPLETE", params, 0.9, 12, 12.0)], None, 12, tuple(space.leaves())
    )
    spec = StudySpec.model_validate({"name": "long", "epochs": 12})
    recipe = check_sound(page(Report(result, spec, space))).by_id("winner")
    [seen, folded] = [node for node in recipe.all("div") if node.attributes.get("class") == "chips"]
    assert [chip.text for chip in seen.all("span")][:3] == ["p30 0.25", "p39 0.75", "p0 0.5"]
    assert len(seen.all("span")) + len(folded.all("span")) == 40
    assert "and 28 settings more" in recipe.text


def test_what_a_study_does_not_have_yet_is_left_out_and_said():
    empty = check_sound(page(begun()))
    assert "No trial has begun" in empty.text
    assert sections(empty) == {"onward", "words"}
    waiting = check_sound(page(begun(a_trial(0, "RUNNING"))))
    assert sections(waiting) == {"mattered", "trials", "onward", "words"}
    failed = begun(a_trial(0, "RUNNING", 0.5, 2), a_trial(1, "FAIL", reason="diverged: loss was nan"))
    root = check_sound(page(dataclasses.replace(failed, curves={0: [(1, 0.4), (2, 0.5)]})))
    assert "No winner yet" in root.text
    assert "There is no answer: no trial is COMPLETE. The first failure: diverged: loss was nan" in root.text
    assert sections(root) == {"mattered", "course", "trials", "onward", "words"}
    assert "finetune-search best" not in root.text


def test_without_a_confirmation_that_is_said_first():
    root = check_sound(page(a_report(confirmed=False, changed=False)))
    assert sections(root) == SECTIONS - {"answer"}
    [head] = root.all("header")
    assert "is ahead, not confirmed" in head.text
    assert "There is no confirmed answer" in head.text
    assert not [node for node in head.all() if node.attributes.get("id") == "margin"]
    assert "finetune-search perturb planted" in root.by_id("changes").text


def test_an_answer_on_validation_scores_or_of_one_seed_or_without_a_baseline_is_shown_as_such():
    report = a_report()
    whole = report.result.answer
    assert whole is not None

    def head(**changes) -> str:
        answer = dataclasses.replace(whole, **changes)
        root = check_sound(
            page(dataclasses.replace(report, result=dataclasses.replace(report.result, answer=answer)))
        )
        return root.all("header")[0].text

    untested = dataclasses.replace(whole.winner, test=()), dataclasses.replace(whole.baseline, test=())
    assert "mean validation score" in head(winner=untested[0], baseline=untested[1], openings=())
    single = (
        dataclasses.replace(one, test=one.test[:1], val=one.val[:1]) for one in (whole.winner, whole.baseline)
    )
    one_seed = head(**dict(zip(("winner", "baseline"), single, strict=True)))
    assert "one seed: spread unknown" in one_seed
    assert "nothing says how much of it is chance" in one_seed
    assert "There is nothing to compare it with" in head(baseline=None)
    assert "The ordinary recipe wins" in head(winner=whole.baseline)
    assert "is above the baseline" not in head(winner=whole.baseline)


def a_nasty_report() -> Report:
    space = SearchSpace({"lr": Float(1e-4, 1.0, log=True), "kind": Choice((NASTY, "b"))})
    params = {"lr": 0.01, "kind": NASTY}
    marginal = Marginal((NASTY, "b"), np.array([0.5, 0.6]), np.array([0.5, 0.6]), np.eye(2) * 1e-4, 1.0)
    effect = Effect("kind", ["kind"], {"sw<b>itch": [NASTY]}, 9, marginal, 0.5, 0.5, None, 0.001, True)
    pair = Interaction(
        ("kind", "lr"), 0.1, ((NASTY, "b"), (0.01, 0.1)), np.array([[0.1, 0.2], [0.3, np.nan]])
    )
    trials = [
        TrialSummary(0, "COMPLETE", params, 0.9, 5, 5.0, NASTY),
        TrialSummary(1, "FAIL", params, None, 0, 0.0, NASTY + "\x1b[31m"),
        TrialSummary(2, "PRUNED", {"lr": 0.1, "kind": "b"}, 0.2, 1, 1.0),
    ]
    nasty = dataclasses.replace(sound(), labels=(NASTY,) * 5)
    confirmed = Confirmed(NASTY, 0, params, [0.9], [0.9], [0.9], soundness=nasty)
    answer = Answer(confirmed, Confirmed("baseline", 2, params, [], [0.8], [0.8]), [confirmed], 0.0, [NASTY])
    looked_at = inspected(0)
    alike = [dataclasses.replace(one, name=NASTY) for one in looked_at.misses[0].alike]
    return Report(
        StudyResult("nasty", trials, answer, 5, ("lr", "kind")),
        StudySpec.model_validate({"name": "nasty", "data": NASTY, "model": NASTY, "epochs": 5}),
        space,
        Insight([effect], [pair]),
        [Verdict(NASTY, NASTY, NASTY, (NASTY,))],
        {0: [(1, 0.5), (2, 0.9)]},
        f" --store {NASTY}",
        NASTY,
        inspection=dataclasses.replace(
            looked_at,
            soundness=nasty,
            unspoilt=NASTY,
            misses=[dataclasses.replace(one, name=NASTY, alike=alike) for one in looked_at.misses],
        ),
    )


def test_nothing_that_a_study_says_becomes_markup():
    text = page(a_nasty_report())
    root = check_sound(text)
    assert "<script>alert" not in text
    assert text.count("<script") == 1
    assert "<img src=http" not in text
    assert len(root.all("img")) == 16
    assert "sw<b>" not in text
    assert "\x1b" not in text
    assert NASTY in root.text  # as text it is there
    text.encode()


def a_large_report(count: int = 2000, epochs: int = 100) -> Report:
    report = a_report()
    rng = random.Random(0)
    chosen = rng.choices(report.result.trials, k=count)
    trials = [dataclasses.replace(one, number=number, epochs=epochs) for number, one in enumerate(chosen)]
    best = max((one for one in trials if one.state == "COMPLETE"), key=lambda one: one.score or 0)
    answer = report.result.answer
    assert answer is not None
    answer = dataclasses.replace(answer, winner=dataclasses.replace(answer.winner, number=best.number))
    return dataclasses.replace(
        report,
        result=dataclasses.replace(report.result, trials=trials, answer=answer, epochs=epochs),
        spec=report.spec.model_copy(update={"epochs": epochs}),
        curves={
            one.number: [(epoch, rng.random() * epoch / epochs) for epoch in range(1, epochs + 1)]
            for one in trials
        },
    )


def test_a_large_study_makes_a_small_page_in_seconds_and_what_is_left_out_is_said(record_property):
    report = a_large_report()
    began = time.process_time()
    text = page(report)
    seconds = time.process_time() - began
    record_property("seconds", seconds)
    record_property("bytes", len(text.encode()))
    assert len(text.encode()) < 2_000_000
    assert seconds < 10  # of the processor; two on a slow core
    root = check_sound(text)
    assert len(root.by_id("trials").all("tr")) == 401
    assert "The first 400 of 2000 are listed" in root.by_id("trials").text
    course = root.by_id("course").text
    assert "Of 2000 trials 250 are drawn: the best, and every so many of the rest." in course
    winner = report.winner
    assert winner is not None
    [line] = [node for node in root.all("path") if node.attributes["class"] == "curve winner"]
    assert line.text.startswith(f"trial {winner.number}:")


def test_other_studies_of_the_same_data_are_named_with_what_they_found():
    outcome = Outcome("dropout helps", "supported", "By +0.020.", "2026-01-01")
    others = [
        Entry(NASTY, "digits", "", None, best=None),
        Entry("second", "digits", "dropout helps", outcome, best=0.975),
        Entry("third", "digits", NASTY, None, best=0.9),
    ]
    report = dataclasses.replace(a_report(), earlier=others)
    root = check_sound(page(report))
    text = root.by_id("earlier").text
    assert "no trial is COMPLETE." in text
    assert "best score 0.975. Hypothesis: dropout helps (supported: By +0.020.)" in text
    assert "(open)" in text
    assert report.to_dict()["other_studies_of_the_data"][1]["outcome"]["verdict"] == "supported"
    assert "earlier" not in sections(read(page(a_report())))

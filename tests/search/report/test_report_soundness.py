"""What the page has of the winner beyond its accuracy."""

from __future__ import annotations

import dataclasses
import json

from search.report.page import page
from search.view import words
from tests.search.report.parts import a_report, begun, sound
from tests.search.report.reading import check_sound, read, sections
from trainables.soundness.soundness import Soundness


def test_what_is_known_of_the_winners_networks_stands_in_the_page():
    report = a_report()
    found, looked_at = sound(), report.inspection
    text = page(report)
    part = read(text).by_id("soundness")
    assert f"right on {words.percent(found.accuracy)} of 300 test images" in part.text
    assert "Recognised more seldom than the others, beyond chance: class 1" in part.text
    assert "The most frequent mistake is to take class 1 for class 0" in part.text
    assert "too sure of itself" in part.text
    [classes] = [one for one in part.all("table") if "recognised" in one.text]
    rows = [[cell.text for cell in row.all("td")] for row in classes.all("tr")[1:]]
    assert rows[0][:2] == ["class 1", "60"]
    assert [row[2] for row in rows] == [
        words.percent(one.recall) for one in sorted(found.classes, key=lambda one: one.recall)
    ]
    charts = [str(one.attributes["aria-label"]) for one in part.all("svg")]
    assert charts == [
        "Share of the images that is right by confidence",
        "Accuracy by the share of the images that is answered",
        "Mistakes by true and by given class",
        "Accuracy by corruption and severity",
    ]
    cells = [node.text for node in part.all("svg")[3].all("text")]
    for name, each in looked_at.robustness.accuracies.items():
        place = cells.index(name.replace("_", " "))
        assert cells[place + 1 : place + 6] == [words.score(one) for one in each]
    pictures = part.all("img")
    assert len(pictures) == 4 * (1 + 3)
    assert pictures[0].attributes["src"] == looked_at.misses[0].picture
    assert "class 1 → class 0 99.0 % val/0.png" in part.text
    assert "inspect" not in part.text

    data = json.loads(json.dumps(report.to_dict()))
    assert Soundness.from_dict(data["answer"]["winner"]["soundness"]) == found
    assert data["inspection"]["robustness"]["mean"] == looked_at.robustness.mean
    assert data["inspection"]["misses"][1]["alike"][2]["name"] == "train/2.png"
    assert "data:image" not in json.dumps(data)


def test_of_a_winner_that_nobody_looked_at_it_is_said_how_one_can():
    part = read(page(a_report(looked_at=False))).by_id("soundness")
    assert "of 300 test images" in part.text
    assert "finetune-search inspect planted" in part.text
    bare = read(page(a_report(looked_at=False, confirmed=False))).by_id("soundness")
    assert not bare.all("svg")
    assert "finetune-search inspect planted" in bare.text
    looked_at = read(page(a_report(confirmed=False))).by_id("soundness")
    assert "of 300 validation images, which chose its epoch" in looked_at.text
    assert "soundness" not in sections(read(page(begun())))


def test_of_many_classes_the_worst_are_listed_and_the_others_can_be_unfolded():
    report = a_report()
    answer = report.result.answer
    assert answer is not None
    many = dataclasses.replace(answer, winner=dataclasses.replace(answer.winner, soundness=sound(classes=30)))
    report = dataclasses.replace(report, result=dataclasses.replace(report.result, answer=many))
    part = check_sound(page(report)).by_id("soundness")
    assert "Mistakes by true and by given class" not in [
        one.attributes["aria-label"] for one in part.all("svg")
    ]
    pairs, first, rest = part.all("table")
    assert len(pairs.all("tr")) == len(first.all("tr")) == 1 + 15
    assert len(rest.all("tr")) == 1 + 15
    [folded] = part.all("details")
    assert "The other 15 classes" in folded.text

import pytest

from search.view import words


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

import re
from pathlib import Path

from spaces import Choice, Int, load_space, preset_names, space_from_dict
from spaces.document import read_document

PAGE = (Path(__file__).parents[2] / "docs" / "spaces.md").read_text(encoding="utf-8")


def block(language):
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[1]


def test_the_example_file_is_a_space():
    space = space_from_dict(read_document(block("yaml")).data)
    assert space.baseline()["strategy.full.lr"] == 1e-4


def test_the_example_in_python_runs():
    names = {}
    exec(block("python"), names)
    assert names["mine"].baseline()["batch_size"] == 32
    assert set(names["space"].parameters["strategy"].branches) == {"full", "layer_decay"}


def test_the_table_is_that_of_the_presets():
    written = set()
    for name, values, default, presets in re.findall(r"\| `(\S+)` \| (.+?) \| (\S+) \| (.+?) \|", PAGE):
        written |= {(preset, name, values, default) for preset in presets.split(", ")}
    actual = set()
    for preset in preset_names():
        for name, leaf in load_space(preset).leaves().items():
            if isinstance(leaf, Choice):
                actual.add((preset, name, "its branches", str(leaf.default)))
                continue
            kind = "int" if isinstance(leaf, Int) else "float"
            values = f"{kind} [{leaf.low:g}, {leaf.high:g}]{', log' if leaf.log else ''}"
            actual.add((preset, name, values, f"{leaf.default:g}"))
    assert written == actual

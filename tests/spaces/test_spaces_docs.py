import re
from pathlib import Path

from spaces import Choice, Int, load_space, preset_names, space_from_dict
from spaces.document import read_document
from trainables.parts import PARTS

DOCS = Path(__file__).parents[2] / "docs"
TECHNIQUES = (DOCS / "techniques.md").read_text(encoding="utf-8")
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
        if preset != "recipe":  # too long for this page
            actual |= {(preset, *row) for row in rows_of(preset)}
    assert written == actual


def rows_of(preset):
    """Name, values and default of each parameter, as the pages write them."""
    leaves = load_space(preset).leaves()
    for name, leaf in leaves.items():
        if isinstance(leaf, Choice):
            switch = any(other.startswith(f"{name}.") for other in leaves) or name in PARTS
            values = "its branches" if switch else ", ".join(map(shown, leaf.options))
            yield name, values, shown(leaf.baseline())
            continue
        kind = "int" if isinstance(leaf, Int) else "float"
        values = f"{kind} [{leaf.low:g}, {leaf.high:g}]{', log' if leaf.log else ''}"
        yield name, values, f"{leaf.default:g}"


def shown(option):
    return (
        str(option).lower()
        if isinstance(option, bool)
        else f"{option:g}"
        if isinstance(option, float)
        else option
    )


def test_the_page_of_techniques_has_each_parameter_of_recipe_and_each_part():
    written = set(re.findall(r"\| `(\S+)` \| (.+?) \| (\S+) \|", TECHNIQUES))
    assert written == set(rows_of("recipe"))
    for kind, names in PARTS.items():
        for name in names:
            assert re.search(rf"\*\*`{kind}: {name}`\*\*", TECHNIQUES), f"{kind}: {name} is not described"

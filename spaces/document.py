"""YAML that is data only, read with the line of every entry, so that a mistake can be pointed at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.reader import ReaderError

from spaces.errors import InputError, shown

Place = tuple[str | int, ...]

MOST_BYTES = 2**18
"""A space or a study is a page or two."""

MOST_NODES = 10_000
"""A document with more entries, aliases counted each time, is an attack or a mistake."""


class _Loader(yaml.SafeLoader):
    """Safe YAML whose scalars follow YAML 1.2: ``1e-3`` is a number, ``no`` and ``on`` are words."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}",
        re.compile(rf"^(?:{_pattern})$"),
        [*_first, *([""] if _tag == "null" else [])],
    )


class _Dumper(yaml.SafeDumper):
    """Safe YAML that quotes each word which YAML 1.2 or YAML 1.1 would read as something else."""


_Dumper.yaml_implicit_resolvers = {
    first: [
        *_Loader.yaml_implicit_resolvers.get(first, []),
        *yaml.SafeDumper.yaml_implicit_resolvers.get(first, []),
    ]
    for first in {*_Loader.yaml_implicit_resolvers, *yaml.SafeDumper.yaml_implicit_resolvers}
}


@dataclass(frozen=True)
class Document:
    """A YAML document.

    Args:
        data: Mappings, lists and scalars.
        source: What to call it in a message.
        lines: Path of keys and indices → line, from 1.
    """

    data: Any
    source: str
    lines: Mapping[Place, int]

    def line(self, place: Place) -> int:
        """The line of the entry at `place`, or of the nearest one above it that is there."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def read_document(source: Path | str) -> Document:
    """One YAML document of plain data.

    Args:
        source: A `Path` is read, a string is the text itself.

    Raises:
        InputError: The file cannot be read, or is not one YAML document of plain data.
    """
    if isinstance(source, str):
        return parse_document(source, "text")
    try:
        with source.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{source.name}: a YAML file must be text in UTF-8, but this is not") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{str(source)!r} must be a readable YAML file, but: {reason}") from None
    return parse_document(text, source.name)


def parse_document(text: str, source: str) -> Document:
    """The document in `text`, called `source` in messages.

    Raises:
        InputError: It is not one YAML document of plain data.
    """
    lines: dict[Place, int] = {}
    if len(text) > MOST_BYTES:
        raise InputError(f"{source}: a document must have at most {MOST_BYTES} characters")
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            reader = _Reader(loader, source, lines)
            data = None if node is None else reader.read(node, ())
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise InputError(
            f"{source}, line {_line(error, text)}: this must be YAML, but {_problem(error)}"
        ) from None
    except RecursionError:
        raise InputError(f"{source}: a document must not be nested deeper than Python can read") from None
    return Document(data, source, lines)


def _line(error: yaml.YAMLError, text: str) -> int:
    if isinstance(error, ReaderError):
        return text.count("\n", 0, error.position) + 1
    mark = getattr(error, "problem_mark", None)
    return 1 if mark is None else int(mark.line) + 1


def _problem(error: yaml.YAMLError) -> str:
    if isinstance(error, ReaderError):
        return f"character number {error.position + 1} cannot be printed"
    context, problem = getattr(error, "context", None), getattr(error, "problem", None)
    return " ".join(f"{context or ''} {problem or ''}".split()) or "it is not"


def write_document(data: object) -> str:
    """Plain `data` as YAML that `read_document` reads back unchanged, keys in their order.

    `yaml.safe_dump` leaves a word such as ``1e5`` without quotes, and then it comes back as a number.
    """
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False)
    return text


def parse_value(text: str, source: str) -> Any:
    """One value as YAML writes it: ``1e-3``, ``[8, 64]``, ``full``.

    Raises:
        InputError: It is no YAML.
    """
    return parse_document(text, source).data


class _Reader:
    """Turns nodes into plain data and notes their lines. Builds nothing else: a tag is an error."""

    def __init__(self, loader: _Loader, source: str, lines: dict[Place, int]) -> None:
        self._loader, self._source, self._lines = loader, source, lines
        self._nodes = 0
        self._open: set[int] = set()

    def read(self, node: yaml.Node, place: Place) -> Any:
        self._nodes += 1
        line = node.start_mark.line + 1
        if self._nodes > MOST_NODES:
            raise InputError(
                f"{self._source}, line {line}: a document must have at most {MOST_NODES} entries"
            )
        if id(node) in self._open:
            raise InputError(f"{self._source}, line {line}: an entry must not contain itself")
        self._lines.setdefault(place, line)
        self._open.add(id(node))
        try:
            match node:
                case yaml.MappingNode():
                    return self._mapping(node, place)
                case yaml.SequenceNode() if node.tag == "tag:yaml.org,2002:seq":
                    return [self.read(item, (*place, index)) for index, item in enumerate(node.value)]
                case yaml.ScalarNode():
                    return self._scalar(node, line)
            raise InputError(
                f"{self._source}, line {line}: plain data must have no tag, but got {node.tag!r}"
            )
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        line = node.start_mark.line + 1
        if node.tag != "tag:yaml.org,2002:map":
            raise InputError(
                f"{self._source}, line {line}: plain data must have no tag, but got {node.tag!r}"
            )
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key_line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise InputError(f"{self._source}, line {key_line}: a key must be a word")
            key = str(key_node.value)
            if key in data:
                first = self._lines[(*place, key)]
                raise InputError(
                    f"{self._source}, line {key_line}: a key must be given once, but {shown(key)} "
                    f"is on line {first} too"
                )
            self._lines[(*place, key)] = key_line
            data[key] = self.read(value_node, (*place, key))
        return data

    def _scalar(self, node: yaml.ScalarNode, line: int) -> Any:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        text = node.value
        try:
            match kind:
                case "str":
                    return text
                case "null":
                    return None
                case "bool":
                    return text.lower() == "true"
                case "int":
                    return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
                case "float":
                    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:  # a tag such as !!int before a word, or more digits than Python reads
            raise InputError(
                f"{self._source}, line {line}: {shown(text)} must be a number, but is none"
            ) from None
        raise InputError(f"{self._source}, line {line}: plain data must have no tag, but got {node.tag!r}")

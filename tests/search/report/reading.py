"""A page as its structure, for the tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"img", "meta", "wbr"}


@dataclass
class Node:
    tag: str
    attributes: dict[str, str | None]
    children: list[Node | str] = field(default_factory=list)

    def all(self, tag: str = "") -> list[Node]:
        below = [node for child in self.children if isinstance(child, Node) for node in child.all(tag)]
        return ([self] if not tag or self.tag == tag else []) + below

    def by_id(self, name: str) -> Node:
        [found] = [node for node in self.all() if node.attributes.get("id") == name]
        return found

    @property
    def text(self) -> str:
        parts = (child if isinstance(child, str) else child.text for child in self.children)
        return "".join(parts).replace("\N{NO-BREAK SPACE}", " ")


class Reader(HTMLParser):
    """Complains where tags are not balanced."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("", {})
        self._open = [self.root]

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute of {tag} is there twice"
        node = Node(tag, dict(attrs))
        self._open[-1].children.append(node)
        if tag not in VOID:
            self._open.append(node)

    def handle_endtag(self, tag):
        assert self._open.pop().tag == tag

    def handle_data(self, data):
        self._open[-1].children.append(data)

    def close(self):
        super().close()
        assert self._open == [self.root]


def read(text: str) -> Node:
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader.root

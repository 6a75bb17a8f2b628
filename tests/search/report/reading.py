"""A page as its structure, for the tests of this folder."""

from __future__ import annotations

import base64
import hashlib
import re
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


def sections(root: Node) -> set[str]:
    return {str(node.attributes["id"]) for node in root.all("section")}


def check_sound(text: str) -> Node:
    """Balanced, ids once, links within the page, no script but ours, no style but the one, no handler."""
    root = read(text)
    ids = [node.attributes["id"] for node in root.all() if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    assert {node.attributes["href"] for node in root.all("a")} <= {f"#{one}" for one in ids}
    for node in root.all():
        assert not {"style", "action", "srcset"} & set(node.attributes)
        assert str(node.attributes.get("src", "data:image/")).startswith("data:image/")
        assert not [name for name in node.attributes if name.startswith("on")]
    assert not root.all("link") + root.all("iframe")
    assert all(node.attributes["alt"] for node in root.all("img"))
    assert {node.tag for node in root.all() if "src" in node.attributes} <= {"img"}
    assert not re.search(r'(?:\bd|\bx\d?|\by\d?|\bcx|\bcy|width|height)="[^"]*(?:nan|inf)', text)
    [script], [style] = root.all("script"), root.all("style")
    [policy] = [node for node in root.all("meta") if node.attributes.get("http-equiv")]
    for node, kind in ((script, "script"), (style, "style")):
        digest = base64.b64encode(hashlib.sha256("".join(map(str, node.children)).encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in str(policy.attributes["content"])
    assert str(policy.attributes["content"]).startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in text
    assert "url(" not in text
    assert "@import" not in text
    return root

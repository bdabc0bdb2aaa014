"""A config as a tree whose every node knows where its value came from. Trees are never changed, only rebuilt."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from paddleisa.utils.environment import configs_dir

Key = str | int
KeyPath = tuple[Key, ...]


@dataclass(frozen=True)
class Origin:
    """A line of a file, or, without a line, words such as ``--opts iters=10`` or ``from val_dataset PascalVOC``."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        if self.line is None:
            words = re.sub(r"[^ -~]+", " ", self.source)  # stays one line, and can be printed anywhere
            return words if len(words) <= 100 else words[:97] + "..."
        return f"{shorten(self.source)}:{self.line}"


def shorten(path: str | Path) -> str:
    """``path`` relative to the current folder or, for a shipped config, to the folder that holds ``configs/``."""
    path = Path(path)
    for folder in (Path.cwd(), configs_dir().parent):
        if path.is_relative_to(folder):
            return path.relative_to(folder).as_posix()
    return path.as_posix()


@dataclass(frozen=True)
class Node:
    """A value and its origin.

    Attributes:
        value: None, bool, int, float, str, a list of nodes, or a dict from str to node.
        origin: the line of the key (or of the list item) that holds the value.
        written: what the file says, where :mod:`paddleisa.config.compat` has put today's word for an old one.
    """

    value: Any
    origin: Origin
    written: str | None = None

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, list)

    def plain(self) -> Any:
        """The value alone: a fresh tree of dicts, lists and scalars."""
        if self.is_mapping:
            return {key: child.plain() for key, child in self.value.items()}
        return [child.plain() for child in self.value] if self.is_list else self.value

    def child(self, key: Key) -> Node | None:
        """The node at ``key`` (of a mapping) or at index ``key`` (of a list), None when there is none."""
        if self.is_mapping:
            return self.value.get(key)
        if self.is_list and isinstance(key, int) and 0 <= key < len(self.value):
            return self.value[key]
        return None

    def at(self, path: KeyPath) -> Node | None:
        """The node at the end of ``path``, None when it leads nowhere."""
        node = self
        for key in path:
            child = node.child(key)
            if child is None:
                return None
            node = child
        return node

    def nearest_at(self, path: KeyPath) -> Node:
        """The deepest node along ``path``: where a message about a missing value points."""
        node = self
        for key in path:
            child = node.child(key)
            if child is None:
                break
            node = child
        return node

    def with_at(self, path: KeyPath, node: Node) -> Node:
        """This tree with ``node`` at ``path``, whose parent exists."""
        if not path:
            return node
        key, rest = path[0], path[1:]
        changed = self.value[key].with_at(rest, node) if rest else node
        value: Any = dict(self.value) if self.is_mapping else list(self.value)
        value[key] = changed
        return replace(self, value=value)

    def leaves(self, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Node]]:
        """All scalars and empty containers below, with their paths."""
        if self.value and (self.is_mapping or self.is_list):
            items = self.value.items() if self.is_mapping else enumerate(self.value)
            for key, child in items:
                yield from child.leaves((*path, key))
        else:
            yield path, self


def graft(value: object, origin: Origin) -> Node:
    """A plain tree as nodes that all have one origin."""
    if isinstance(value, dict):
        return Node({key: graft(child, origin) for key, child in value.items()}, origin)
    if isinstance(value, list | tuple):
        return Node([graft(child, origin) for child in value], origin)
    return Node(value, origin)


def dotted(path: KeyPath) -> str:
    """``("a", 0, "b")`` -> ``a.0.b``, as ``--opts`` writes it."""
    return ".".join(str(key) for key in path)

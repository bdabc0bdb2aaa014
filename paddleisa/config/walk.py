"""A config beside the annotations of what it describes: the one way to go through both."""

from __future__ import annotations

import typing
from abc import ABC, abstractmethod

from paddleisa.config.signature import UNKNOWN, bare, branch_for, is_section, is_structured, is_union, table_of
from paddleisa.registry import Registry
from paddleisa.utils.nodes import KeyPath, Node


class Walk(ABC):
    """Finds for each node what its annotation says it is. Sub-classes say what becomes of it: a check, an object."""

    def value(self, node: Node, annotation: object, path: KeyPath) -> object:
        """What becomes of ``node``, which stands at ``path`` and should be an ``annotation``."""
        table, inner = table_of(annotation), bare(annotation)
        if table is not None:
            return self.component(node, table, path)
        if annotation is UNKNOWN or not is_structured(annotation):
            return self.leaf(node, annotation, path)
        kind, args = typing.get_origin(inner), typing.get_args(inner)
        if is_union(inner):
            if node.value is None and type(None) in args:
                return self.leaf(node, type(None), path)
            return self.value(node, branch_for(inner, node.value), path)
        if kind in (list, tuple) and node.is_list:
            return self.items(node, kind(self.value(item, args[0], (*path, i)) for i, item in enumerate(node.value)))
        if kind is dict and node.is_mapping:
            return self.items(node, {k: self.value(item, args[1], (*path, k)) for k, item in node.value.items()})
        if is_section(inner) and node.is_mapping:
            return self.section(node, inner, path)
        return self.misfit(node, annotation, path)

    @abstractmethod
    def component(self, node: Node, table: Registry, path: KeyPath) -> object:
        """A mapping whose ``type`` names a class of ``table``, or something else in its place."""

    @abstractmethod
    def section(self, node: Node, cls: type, path: KeyPath) -> object:
        """A mapping with the fixed keys of ``cls``."""

    @abstractmethod
    def items(self, node: Node, items: list | tuple | dict) -> object:
        """A list or mapping whose items have become ``items``."""

    @abstractmethod
    def leaf(self, node: Node, annotation: object, path: KeyPath) -> object:
        """A plain value: nothing in it is a component or a section."""

    @abstractmethod
    def misfit(self, node: Node, annotation: object, path: KeyPath) -> object:
        """A value whose shape is not that of its annotation."""

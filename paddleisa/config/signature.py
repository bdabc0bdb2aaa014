"""What a constructor accepts, read from its annotations, the only schema that components have; a walk along them."""

from __future__ import annotations

import dataclasses
import inspect
import sys
import types
import typing
from abc import ABC, abstractmethod
from functools import cache
from typing import Any

from paddleisa.registry import NoEffect, Registry
from paddleisa.utils.nodes import KeyPath, Node

UNKNOWN = inspect.Parameter.empty  # stands for an annotation that is not there or cannot be resolved


@dataclasses.dataclass(frozen=True)
class Option:
    """One constructor argument: its name, resolved annotation (or UNKNOWN), and default (or UNKNOWN)."""

    name: str
    annotation: object
    default: object

    @property
    def required(self) -> bool:
        return self.default is UNKNOWN


@dataclasses.dataclass(frozen=True)
class Options:
    """All arguments of a class, and whether it takes any others (``**kwargs``) as well."""

    known: dict[str, Option]
    open: bool

    def without(self, names: tuple[str, ...]) -> Options:
        """Those that are left for a config when the owner supplies ``names``."""
        return dataclasses.replace(self, known={n: o for n, o in self.known.items() if n not in names})


@cache
def options_of(cls: type) -> Options:
    """The options that a config may give to ``cls``: a component, a dataclass, or a pydantic model."""
    try:
        parameters = list(inspect.signature(cls).parameters.values())
    except (TypeError, ValueError):  # a class of C code
        return Options({}, True)
    names = getattr(inspect.unwrap(cls.__init__), "__globals__", {})  # type: ignore[misc] # of this very class
    if is_section(cls):  # whose fields may be of classes of other modules
        names = {
            name: value for base in reversed(cls.__mro__) for name, value in vars(sys.modules[base.__module__]).items()
        }
    made = {}  # inspect shows a dataclass's default_factory as a placeholder
    if dataclasses.is_dataclass(cls):
        fields = dataclasses.fields(cls)
        made = {f.name: f.default_factory() for f in fields if f.default_factory is not dataclasses.MISSING}
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    known = {p.name: Option(p.name, _resolve(p.annotation, names), made.get(p.name, p.default)) for p in named}
    return Options(known, any(p.kind is p.VAR_KEYWORD for p in parameters))


def _resolve(annotation: object, names: dict[str, object]) -> object:
    """One annotation with its strings looked up; each alone, so that one bad name does not spoil the others."""
    if annotation is UNKNOWN:
        return UNKNOWN
    holder = types.SimpleNamespace(__annotations__={"value": annotation})
    try:
        return typing.get_type_hints(holder, globalns=names, localns={}, include_extras=True)["value"]
    except (NameError, TypeError, AttributeError, SyntaxError):
        return UNKNOWN


def is_section(annotation: object) -> bool:
    """Whether values are mappings with fixed keys and no ``type``: a dataclass or a pydantic model."""
    is_class = isinstance(annotation, type)
    return is_class and (dataclasses.is_dataclass(annotation) or hasattr(annotation, "model_fields"))


def table_of(annotation: object) -> Registry | None:
    """The table of ``Annotated[object, BACKBONES]``, None for other annotations."""
    return next((m for m in getattr(annotation, "__metadata__", ()) if isinstance(m, Registry)), None)


def effect_of(annotation: object) -> NoEffect | None:
    """The mark of an option that is accepted and changes nothing, None for other annotations."""
    return next((m for m in getattr(annotation, "__metadata__", ()) if isinstance(m, NoEffect)), None)


def bare(annotation: Any) -> Any:
    """``Annotated[X, ...]`` -> ``X``."""
    return annotation.__origin__ if hasattr(annotation, "__metadata__") else annotation


def is_union(annotation: object) -> bool:
    """Whether ``annotation`` is ``X | Y`` in either of Python's spellings."""
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def is_structured(annotation: object) -> bool:
    """Whether a component or a section occurs anywhere inside: then we walk, otherwise pydantic judges the value."""
    if table_of(annotation) is not None or is_section(bare(annotation)):
        return True
    inner = bare(annotation)
    return typing.get_origin(inner) is not typing.Literal and any(is_structured(a) for a in typing.get_args(inner))


def branch_for(annotation: object, value: object) -> object:
    """The member of a union that a value of this shape (dict, list or scalar) is meant for."""
    members = [a for a in typing.get_args(annotation) if a is not type(None)]
    shape = dict if isinstance(value, dict) else list if isinstance(value, list) else object
    for member in members:
        kind = typing.get_origin(bare(member))
        takes = dict if table_of(member) or is_section(bare(member)) or kind is dict else kind
        if (list if takes is tuple else takes) is shape:
            return member
    return next((m for m in members if not is_structured(m)), members[0])


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

    def items(self, node: Node, items: list | tuple | dict) -> object:
        """A list or mapping whose items have become ``items``."""
        return items

    @abstractmethod
    def leaf(self, node: Node, annotation: object, path: KeyPath) -> object:
        """A plain value: nothing in it is a component or a section."""

    @abstractmethod
    def misfit(self, node: Node, annotation: object, path: KeyPath) -> object:
        """A value whose shape is not that of its annotation."""

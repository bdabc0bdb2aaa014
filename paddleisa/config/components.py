"""From a checked config to objects. Components get built parts and plain values; they never see the config."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from paddleisa.config.config import Config
from paddleisa.config.schema import Settings
from paddleisa.config.signature import UNKNOWN, options_of
from paddleisa.config.values import BadValue, coerce, describe
from paddleisa.config.walk import Walk
from paddleisa.errors import ConfigError, PaddleISAError, text_of
from paddleisa.registry import Registry
from paddleisa.utils.nodes import KeyPath, Node, Origin, dotted, graft, shorten
from paddleisa.utils.yaml_reader import shown


def build_part(config: Config, path: str, annotation: object) -> Any:
    """The part of a checked config at ``path`` as an object.

    Args:
        config: what :func:`paddleisa.config.check` gave back.
        path: ``"model"``, ``"val_dataset.transforms"``, ``"loss.types"``.
        annotation: a table (MODELS), or an annotation around tables (``list[Annotated[object, LOSSES]]``).

    Raises:
        ConfigError: the path is not there, or a constructor refuses its values; names file, line and key path.
    """
    keys = tuple(path.split("."))
    node = config.tree.at(keys)
    if node is None or node.value is None:
        raise ConfigError(f"there is no {path!r}", where=config.path or config.name)
    builder = _Builder()
    return (
        builder.component(node, annotation, keys)
        if isinstance(annotation, Registry)
        else builder.value(node, annotation, keys)
    )


def build_component(spec: Mapping[str, object], table: Registry, where: str) -> Any:
    """The object that a plain mapping describes; nested components are built first.

    Args:
        spec: ``{"type": NAME, option: value, ...}``.
        table: where ``type`` is looked up.
        where: what messages call the mapping's place.

    Raises:
        ConfigError: an unknown type, a value that does not fit, or the constructor's own refusal, with its place.
    """
    plain = dict(spec) if isinstance(spec, Mapping) else spec
    return _Builder().component(graft(plain, Origin(where)), table, ())


def settings_of(tree: Node) -> Settings:
    """A checked tree as typed settings; components in it stay plain mappings."""
    return _SettingsBuilder().section(tree, Settings, ())


class _Builder(Walk):
    """Objects, innermost first."""

    def component(self, node: Node, table: Registry, path: KeyPath) -> object:
        kind = node.child("type")
        if kind is None:
            raise ConfigError(f"a {table.kind} needs a mapping with `type`", where=_place(node, path))
        try:
            cls = table.get(kind.value)
        except ConfigError as error:
            raise ConfigError(error.problem, where=_place(node, path), fix=error.fix) from error
        make = functools.partial(functools.partial, cls) if table.supplied else cls
        options = {name: child for name, child in node.value.items() if name != "type"}
        return self._made(node, cls, path, options, make)

    def section(self, node: Node, cls: type, path: KeyPath) -> Any:
        return self._made(node, cls, path, node.value, cls)

    def _made(
        self, node: Node, cls: type, path: KeyPath, options: Mapping[str, Node], make: Callable[..., object]
    ) -> object:
        known = options_of(cls).known
        values = {
            name: self.value(child, known[name].annotation if name in known else UNKNOWN, (*path, name))
            for name, child in options.items()
        }
        try:
            return make(**values)
        except PaddleISAError as error:
            if error.where is not None or not isinstance(error, ConfigError):
                raise
            raise ConfigError(error.problem, where=_place(node, path), fix=error.fix) from error
        except (KeyboardInterrupt, MemoryError):
            raise
        except BaseException as error:  # a plug-in may raise anything
            frame = traceback.extract_tb(error.__traceback__)[-1]
            problem = f"{cls.__name__} cannot be made of these values ({type(error).__name__}: {text_of(error):.200})"
            fix = f"It was raised at {shorten(frame.filename)}:{frame.lineno}"
            raise ConfigError(problem, where=_place(node, path), fix=fix) from error

    def items(self, node: Node, items: list | tuple | dict) -> object:
        return items

    def leaf(self, node: Node, annotation: object, path: KeyPath) -> object:
        try:
            return coerce(node.plain(), annotation)
        except BadValue as error:
            raise ConfigError(error.problem, where=_place(node, path), fix=error.fix) from error

    def misfit(self, node: Node, annotation: object, path: KeyPath) -> object:
        raise ConfigError(f"must be {describe(annotation)}, not {shown(node.plain())}", where=_place(node, path))


class _SettingsBuilder(_Builder):
    """Sections as dataclasses, components as they are."""

    def component(self, node: Node, table: Registry, path: KeyPath) -> object:
        return node.plain()


def _place(node: Node, path: KeyPath) -> str:
    return f"{node.origin}: {dotted(path)}" if path else str(node.origin)

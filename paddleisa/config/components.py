"""From a checked config to objects. Components get built parts and plain values; they never see the config."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from paddleisa.config.checker import CheckedConfig
from paddleisa.config.signature import UNKNOWN, Walk, options_of
from paddleisa.config.values import coerce
from paddleisa.errors import ConfigError, PaddleISAError, text_of
from paddleisa.registry import Registry
from paddleisa.utils.nodes import KeyPath, Node, dotted, shorten


def build_part(config: CheckedConfig, path: str, annotation: object) -> Any:
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
    kind = Annotated[object, annotation] if isinstance(annotation, Registry) else annotation
    return _Builder().value(node, kind, keys)


class _Builder(Walk):
    """Objects, innermost first."""

    def component(self, node: Node, table: Registry, path: KeyPath) -> object:
        cls = table.get(node.value["type"].value)
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

    def leaf(self, node: Node, annotation: object, path: KeyPath) -> object:
        return coerce(node.plain(), annotation)

    def misfit(self, node: Node, annotation: object, path: KeyPath) -> object:
        raise TypeError(f"{_place(node, path)} is not of a checked config")


def _place(node: Node, path: KeyPath) -> str:
    return f"{node.origin}: {dotted(path)}" if path else str(node.origin)

"""From a checked config to objects. Components get built parts and plain values; they never see the config."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping

from paddleisa.config.config import Config
from paddleisa.config.signature import UNKNOWN, bare, branch_for, is_structured, is_union, options_of, table_of
from paddleisa.config.values import BadValue, coerce
from paddleisa.errors import ConfigError
from paddleisa.registry import Registry

Locate = Callable[[str], str]  # key path -> "file:line: key path"


def build_part(config: Config, path: str, annotation: object) -> object:
    """The part of a checked config at ``path`` as an object.

    Args:
        config: what :func:`paddleisa.config.check` gave back.
        path: ``"model"``, ``"val_dataset.transforms"``, ``"loss.types"``.
        annotation: a table (MODELS), or an annotation around tables (``list[Annotated[object, LOSSES]]``).

    Raises:
        ConfigError: the path is not there, or a constructor refuses its values; names file, line and key path.
    """
    value: object = config.to_dict()
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    if value is None:
        raise ConfigError(f"there is no {path!r}", where=config.path or config.name)

    def locate(place: str) -> str:
        return f"{config.origin(place)}: {place}"

    if isinstance(annotation, Registry):
        return build_component(value, annotation, path, locate)
    return build_value(value, annotation, path, locate)


def build_component(spec: Mapping[str, object], table: Registry, where: str, locate: Locate = str) -> object:
    """The object that ``spec`` describes; nested components are built first.

    Args:
        spec: ``{"type": NAME, option: value, ...}``, plain and checked.
        table: where ``type`` is looked up.
        where: key path of ``spec``, for messages.
        locate: turns a key path into what messages say.

    Raises:
        ConfigError: an unknown type, or the constructor's own, with its place.
    """
    if not isinstance(spec, Mapping) or "type" not in spec:
        raise ConfigError(f"a {table.kind} needs a mapping with `type`", where=locate(where))
    try:
        cls = table.get(spec["type"])
        known = options_of(cls).known
        values = {
            name: build_value(value, known[name].annotation if name in known else UNKNOWN, f"{where}.{name}", locate)
            for name, value in spec.items()
            if name != "type"
        }
        return cls(**values)
    except ConfigError as error:
        if error.where is not None:
            raise
        raise ConfigError(error.problem, where=locate(where), fix=error.fix) from error


def build_value(value: object, annotation: object, where: str, locate: Locate = str) -> object:
    """One option's value as its constructor wants it: components built, the rest coerced by ``annotation``."""
    table, inner = table_of(annotation), bare(annotation)
    if table is not None:
        return build_component(value, table, where, locate)
    if is_union(inner) and is_structured(annotation):
        return None if value is None else build_value(value, branch_for(inner, value), where, locate)
    kind, args = typing.get_origin(inner), typing.get_args(inner)
    if is_structured(annotation) and kind in (list, tuple) and isinstance(value, list):
        return kind(build_value(item, args[0], f"{where}.{index}", locate) for index, item in enumerate(value))
    if is_structured(annotation) and kind is dict and isinstance(value, dict):
        return {key: build_value(item, args[1], f"{where}.{key}", locate) for key, item in value.items()}
    try:
        return coerce(value, annotation)
    except BadValue as error:
        raise ConfigError(error.problem, where=locate(where), fix=error.fix) from error

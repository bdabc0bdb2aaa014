"""YAML whose every value knows the line that it stands on, so that an error can name it."""

from __future__ import annotations

from pathlib import Path

import yaml

from paddleisa.errors import ConfigError

KeyPath = tuple[object, ...]


def read_yaml(path: Path) -> tuple[object, dict[KeyPath, int]]:
    """The data of a YAML file, and the line (from 1) of each key path in it.

    Raises ConfigError for a file that cannot be read, bad syntax, a key given twice, or an alias (``*name``): plain
    data needs none, and nested aliases are how a small file becomes a huge one.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"cannot be read ({reason})", where=path) from error
    try:
        events = yaml.parse(text, Loader=yaml.SafeLoader)
        alias = next((event for event in events if isinstance(event, yaml.AliasEvent)), None)
        if alias is not None:
            raise ConfigError("aliases are not used in catalogues", where=f"{path}:{alias.start_mark.line + 1}")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[KeyPath, int] = {}
        if node is not None:
            _walk(node, (), lines, path)
        return yaml.safe_load(text), lines
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else path
        raise ConfigError(f"is not YAML ({getattr(error, 'problem', None) or error})", where=place) from error
    except (ValueError, RecursionError) as error:  # an impossible date, nesting without end
        raise ConfigError(f"cannot be parsed ({error})", where=path) from error


def line_of(keys: KeyPath, lines: dict[KeyPath, int]) -> int:
    """The line of ``keys``, or of the nearest enclosing key that is in the file."""
    while keys and keys not in lines:
        keys = keys[:-1]
    return lines.get(keys, 1)


def _walk(node: yaml.Node, keys: KeyPath, lines: dict[KeyPath, int], path: Path) -> None:
    lines.setdefault(keys, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _walk(child, (*keys, index), lines, path)
    elif isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError("a key must be a plain word", where=f"{path}:{line}")
            if (*keys, key.value) in lines:
                raise ConfigError(f"{key.value!r} is given twice", where=f"{path}:{line}", fix="Keep one of them")
            lines[(*keys, key.value)] = line
            _walk(child, (*keys, key.value), lines, path)

"""YAML text to nodes with line numbers. Plain data only: no tag builds an object, nothing is executed.

Configs and catalogues are read here, so that every message about either can name file and line.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import yaml

from paddleisa.errors import ConfigError, nearest, text_of
from paddleisa.utils.nodes import Node, Origin, shorten

MAX_BYTES = 1 << 20  # a config is a few kB; weights given by mistake are refused before they are read
MAX_NODES = 100_000  # nested aliases make a small file huge
MAX_DEPTH = 64
_YAML = "tag:yaml.org,2002:"
_SCALARS = {_YAML + name for name in ("null", "bool", "int", "float", "str")}


class Loader(yaml.SafeLoader):
    """SafeLoader that reads ``1e-5`` as a number, as people mean it, and dates and ``1:30`` as text."""

    yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in pairs if tag[len(_YAML) :] in ("null", "bool", "merge")]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_NUMBERS = {
    "float": r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    "int": r"[-+]?0b[0-1_]+|[-+]?0[0-7_]*|[-+]?[1-9][0-9_]*|[-+]?0x[0-9a-fA-F_]+",
}
for _name, _pattern in _NUMBERS.items():
    Loader.add_implicit_resolver(_YAML + _name, re.compile(f"^(?:{_pattern})$"), list("-+.0123456789"))


def read_file(path: Path, what: str = "config") -> Node:
    """The mapping that a YAML file holds; origins are its lines. ``what`` is what messages call such a file.

    Raises ConfigError for a file that is missing (naming the nearest ones), unreadable, empty, not text, not YAML,
    or not a mapping, for a key given twice, and for tags other than plain data's.
    """
    node = parse(_text(path, what), str(path))
    if node is None or node.value is None:
        raise ConfigError(f"is empty, not a {what}", where=shorten(path), fix="Write `key: value` lines")
    if not node.is_mapping:
        problem = f"holds {kind_of(node.value)}, not a mapping, so it is not a {what}"
        raise ConfigError(problem, where=node.origin, fix="Write `key: value` lines")
    return node


def parse(text: str, source: str, line: int | None = 1) -> Node | None:
    """YAML text as a node, None when it holds nothing. ``line`` None gives every node the origin ``source`` alone."""
    loader = None
    try:
        loader = Loader(text)
        root = loader.get_single_node()
        return None if root is None else _Converter(loader, source, line is not None).convert(root, ())
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, source, line) from error
    except yaml.YAMLError as error:
        raise ConfigError(
            "holds a character that no text has", where=_label(source, line), fix="Save it as plain UTF-8"
        ) from error
    except ConfigError:
        raise
    except RecursionError as error:
        raise ConfigError("is nested too deeply", where=_label(source, line)) from error
    except Exception as error:  # PyYAML lets out what Python raises of "\UFFFFFFFF" or of a huge version in %YAML
        at = _label(source, loader.line + 1 if loader is not None and line is not None else None)
        problem = f"cannot be read as YAML ({type(error).__name__}: {text_of(error):.100})"
        raise ConfigError(problem, where=at, fix="Look at the escapes, numbers and nesting in that place") from error


def kind_of(value: object) -> str:
    """What a YAML value is, in words of a message."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return shown(value)


def shown(value: object) -> str:
    """A value in a message: as YAML has it, on one line, cut where it is long."""
    text = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _text(path: Path, what: str) -> str:
    try:
        if path.is_dir():
            raise ConfigError(f"is a folder, not a {what}", where=shorten(path), fix="Give a .yml file inside it")
        if path.exists() and not path.is_file():
            raise ConfigError("is not a regular file", where=shorten(path))
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError("does not exist", where=shorten(path), fix=neighbours(path)) from error
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        reason = getattr(error, "strerror", None) or "bad file name"
        raise ConfigError(f"cannot be read ({reason})", where=ascii(str(path))) from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"is too large for a {what}", where=shorten(path), fix="Weights are given with --model_path")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError("is not a text file", where=shorten(path), fix=f"A {what} is YAML, in UTF-8") from error


def exists(path: Path) -> bool:
    """Whether ``path`` is there; False for a name that no file can have."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def neighbours(path: Path) -> str:
    """Advice for a config that is not there: the nearest name in its folder, or what the folder holds."""
    try:
        names = [other.name for other in path.parent.iterdir() if other.suffix in (".yml", ".yaml")]
    except (OSError, ValueError):
        return f"The folder {shorten(path.parent)} cannot be read"
    return nearest(path.name, names) or (f"The folder holds: {', '.join(sorted(names)[:12])}" if names else "")


def _syntax_error(error: yaml.MarkedYAMLError, source: str, line: int | None) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    place = _label(source, mark.line + 1 if mark and line is not None else None)
    column = f", column {mark.column + 1}" if mark else ""
    problem = error.problem or error.context or "bad syntax"
    fix = "Indent with spaces" if "\\t" in problem else "Check indentation, colons and quotes just before this place"
    return ConfigError(f"is not YAML{column}: {problem}", where=place, fix=fix)


def _label(source: str, line: int | None) -> str:
    return str(Origin(source, line)) if line else (shorten(source) if not source.startswith("--") else source)


class _Converter:
    """Composed YAML nodes to ours, with the limits that keep a hostile file harmless."""

    def __init__(self, loader: Loader, source: str, lines: bool):
        self._loader, self._source, self._lines, self._count = loader, source, lines, 0

    def _origin(self, node: yaml.Node) -> Origin:
        return Origin(self._source, node.start_mark.line + 1 if self._lines else None)

    def convert(self, node: yaml.Node, parents: tuple[yaml.Node, ...], origin: Origin | None = None) -> Node:
        """``origin`` is the place of the key that holds ``node``; an item of a list has its own."""
        origin = origin or self._origin(node)
        self._count += 1
        if self._count > MAX_NODES or len(parents) > MAX_DEPTH or any(node is parent for parent in parents):
            raise ConfigError("is nested or repeated without end", where=str(origin), fix="Write the values out")
        inside = (*parents, node)
        if isinstance(node, yaml.MappingNode) and node.tag == _YAML + "map":
            return Node(self._mapping(node, inside), origin)
        if isinstance(node, yaml.SequenceNode) and node.tag == _YAML + "seq":
            return Node([self.convert(item, inside) for item in node.value], origin)
        return Node(self._scalar(node, origin), origin)

    def _mapping(self, node: yaml.MappingNode, parents: tuple[yaml.Node, ...]) -> dict[str, Node]:
        merged: dict[str, Node] = {}
        own: dict[str, Node] = {}
        for key_node, value_node in node.value:
            origin = self._origin(key_node)
            if key_node.tag == _YAML + "merge":
                merged = {**self._merged(value_node, parents, origin), **merged}
                continue
            key = self._scalar(key_node, origin)
            if not isinstance(key, str):
                raise ConfigError(f"a key must be a name, not {kind_of(key)}", where=str(origin), fix="Quote it")
            if key in own:
                raise ConfigError(
                    f"{key!r} is given twice (first: {own[key].origin})", where=str(origin), fix="Keep one of them"
                )
            own[key] = self.convert(value_node, parents, origin)
        return {**merged, **own}

    def _merged(self, node: yaml.Node, parents: tuple[yaml.Node, ...], origin: Origin) -> dict[str, Node]:
        """What YAML's ``<<: *name`` or ``<<: [*a, *b]`` brings in; the first of several wins."""
        found = self.convert(node, parents)
        sources = found.value if found.is_list else [found]
        if not all(source.is_mapping for source in sources):
            raise ConfigError("'<<' takes mappings only", where=str(origin), fix="Write <<: *NAME of a mapping")
        return {key: child for source in reversed(sources) for key, child in source.value.items()}

    def _scalar(self, node: yaml.Node, origin: Origin) -> object:
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _SCALARS:
            tag = node.tag.replace(_YAML, "!!")
            complex_key = tag in ("!!map", "!!seq")
            what = "a key must be a name" if complex_key else f"the tag {tag[:60]!r} is not allowed"
            raise ConfigError(what, where=str(origin), fix="A config holds plain data only")
        try:
            value = self._loader.construct_object(node)
            if isinstance(value, str):
                value.encode("utf-8")
        except (ValueError, KeyError, IndexError, OverflowError) as error:  # !!int abc, !!bool 7, a lone surrogate
            raise ConfigError(f"{kind_of(node.value)} is not what its tag or escape says", where=str(origin)) from error
        if isinstance(value, float) and not math.isfinite(value) or isinstance(value, int) and abs(value) >= 1 << 63:
            raise ConfigError(f"{kind_of(node.value)} is not a finite number", where=str(origin))
        return value

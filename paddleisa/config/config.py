"""The config object: a read-only mapping whose values know their origins."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from paddleisa.config.inherit import find_config, load_tree
from paddleisa.config.overrides import apply_flags, apply_opts
from paddleisa.errors import ConfigError
from paddleisa.utils.nodes import KeyPath, Node, Origin, dotted, graft, shorten
from paddleisa.utils.yaml_reader import Loader, exists

_PLAIN = re.compile(r"[A-Za-z0-9_./+-]+([ :][A-Za-z0-9_./+-]+)*")  # else quoted; the reader's own rules come on top


class Config(Mapping[str, Any]):
    """A config's resolved values: ``config["model"]["backbone"]["type"]``. Two of equal content are equal.

    Values are plain (dicts, lists, scalars) and copies: changing them does not change the config.

    Attributes:
        tree: the values with their origins.
        name: the file's stem; names the run and its weights.
        path: the file that was loaded, None for a config made in Python.
    """

    def __init__(self, tree: Node, name: str, path: Path | None = None):
        self.tree, self.name, self.path = tree, name, path

    @classmethod
    def from_dict(cls, values: Mapping[str, object], name: str = "config", source: str = "Python") -> Config:
        """A config from a plain mapping, such as a checkpoint holds. ``source`` is every value's origin."""
        _require_plain(values, ())
        return cls(graft(dict(values), Origin(source)), name)

    def __getitem__(self, key: str) -> Any:
        try:
            return self.tree.value[key].plain()
        except KeyError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.tree.value)

    def __len__(self) -> int:
        return len(self.tree.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and self._canonical() == other._canonical()

    __hash__ = None  # type: ignore[assignment]  # equal by content, like a dict

    def __repr__(self) -> str:
        return f"Config({self.name!r}, {self.path and str(self.path)!r})"

    @property
    def origins(self) -> dict[str, str]:
        """``{"model.backbone.type": "configs/isanet/mine.yml:7", ...}`` for every leaf."""
        return {dotted(path): str(leaf.origin) for path, leaf in self.tree.leaves()}

    def origin(self, path: str) -> str:
        """Where the value at ``path``, or the nearest thing around it that exists, was given."""
        return str(self.tree.nearest_at(_split(path, self.tree)).origin)

    def to_dict(self) -> dict:
        """All values, as a fresh plain dict."""
        return self.tree.plain()

    def dump(self, origins: bool = True) -> str:
        """YAML text that loads back to an equal config; with ``origins`` each value's line ends in its origin."""
        return _dumped(self.tree, origins)

    def digest(self) -> str:
        """SHA-256 of the values. Order, origins, and the folders that plug-ins lie in do not count."""
        return hashlib.sha256(self._canonical().encode("ascii")).hexdigest()

    def differences(self, other: Config) -> list[str]:
        """One line for each value that ``other`` has otherwise: ``iters: 80000 -> 100 (--iters 100)``."""
        before, after = dict(self.tree.leaves()), dict(other.tree.leaves())
        lines = []
        for path in [*before, *(path for path in after if path not in before)]:
            old, new = (_shown(leaves.get(path)) for leaves in (before, after))
            if old != new:
                origin = f" ({after[path].origin})" if path in after else ""
                lines.append(f"{dotted(path)}: {old} -> {new}{origin}")
        return lines

    def with_values(self, flags: Mapping[str, object] | None = None, opts: Iterable[str] = ()) -> Config:
        """This config with values set as by command-line options; see :mod:`paddleisa.config.overrides`."""
        return Config(apply_opts(apply_flags(self.tree, flags or {}), opts), self.name, self.path)

    def _canonical(self) -> str:
        values = self.to_dict()
        if isinstance(values.get("plugins"), list):
            values["plugins"] = [Path(str(file)).name for file in values["plugins"]]
        return json.dumps(values, sort_keys=True)


def read_config(
    path_or_name: str | Path,
    opts: Iterable[str] = (),
    plugins: Iterable[str | Path] = (),
    flags: Mapping[str, object] | None = None,
) -> Config:
    """A config as :func:`paddleisa.config.load_config` reads it, its values not checked. Imports no components.

    Raises:
        ConfigError: naming file and line, or option.
    """
    path = find_config(path_or_name)
    name, tree = _of_run(path) if exists(path) and path.is_dir() else (path.stem, load_tree(path))
    tree = apply_opts(apply_flags(tree, flags or {}), opts)
    return Config(_with_plugins(tree, plugins), name, path)


def _of_run(folder: Path) -> tuple[str, Node]:
    """Name and tree of the config that a training was run with, from the record in its newest checkpoint."""
    from paddleisa.zoo.resolve import run_record

    record = run_record(folder / "best_model" / "model") or run_record(folder / "model")
    if record is None:
        problem = "is a folder, neither a config nor a training's folder with a checkpoint"
        raise ConfigError(problem, where=shorten(folder), fix="Give a .yml file inside it")
    facts = json.loads(record.read_text(encoding="utf-8"))
    return facts["config_name"], graft(facts["config"], Origin(shorten(record)))


def _with_plugins(tree: Node, plugins: Iterable[str | Path]) -> Node:
    files = [plugins] if isinstance(plugins, str | Path) else list(plugins)
    if not files:
        return tree
    added = [Node(str(Path(file).absolute()), Origin(f"--plugin {file}")) for file in files]
    given = tree.child("plugins")
    if given is None or given.value is None:
        return tree.with_at(("plugins",), Node(added, added[0].origin))
    if not given.is_list:
        raise ConfigError("plugins is not a list", where=given.origin, fix="Write plugins: [my_model.py]")
    return tree.with_at(("plugins",), replace(given, value=[*given.value, *added]))


def _split(path: str, tree: Node) -> KeyPath:
    """``a.0.b`` as keys and, where the tree has lists, indices."""
    keys: KeyPath = ()
    for part in path.split(".") if path else ():
        node = tree.at(keys)
        keys = (*keys, int(part) if node is not None and node.is_list and part.isdigit() else part)
    return keys


def _shown(leaf: Node | None) -> str:
    return "absent" if leaf is None else json.dumps(leaf.plain(), ensure_ascii=False)


def _require_plain(value: object, path: KeyPath) -> None:
    if isinstance(value, Mapping):
        for key, child in value.items():
            if not isinstance(key, str):
                raise ConfigError(f"the key {key!r} is not a string", where=dotted(path) or None)
            _require_plain(child, (*path, key))
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            _require_plain(child, (*path, index))
    elif value is not None and not isinstance(value, bool | int | float | str):
        raise ConfigError(f"{type(value).__name__} is not plain data", where=dotted(path) or None)


class _Dumper(yaml.SafeDumper):
    """Writes scalars as our Loader reads them: quotes text that the Loader would take for a number."""

    yaml_implicit_resolvers = Loader.yaml_implicit_resolvers

    def ignore_aliases(self, data: object) -> bool:
        return True


def _dumped(tree: Node, origins: bool) -> str:
    """YAML text of a tree. Lists of scalars stay on one line; with ``origins`` lines end in ``  # file:line``."""
    if not tree.value:
        return "{}\n"
    lines = list(_block(tree, ""))
    if not origins:
        return "".join(f"{text}\n" for text, _ in lines)
    width = min(72, max((len(text) for text, origin in lines if origin), default=0))
    return "".join(f"{text:<{width}}  # {origin}\n" if origin else f"{text}\n" for text, origin in lines)


def _block(node: Node, indent: str) -> Iterator[tuple[str, str]]:
    """Lines of a container in block style, each with its origin (empty where a line holds no value)."""
    if node.is_mapping:
        items = ((f"{_scalar(key)}:", " ", child) for key, child in node.value.items())
    else:
        items = (("-", " ", child) for child in node.value)
    for head, gap, child in items:
        if _is_inline(child):
            yield f"{indent}{head}{gap}{_inline(child)}", str(child.origin)
        elif head == "-":
            lines = _block(child, indent + "  ")
            text, origin = next(lines)
            yield f"{indent}- {text[len(indent) + 2 :]}", origin
            yield from lines
        else:
            yield f"{indent}{head}", ""
            yield from _block(child, indent + "  ")


def _is_inline(node: Node) -> bool:
    """Scalars, empty containers, and lists of scalars from one place."""
    if node.is_mapping:
        return not node.value
    if not node.is_list:
        return True
    flat = all(not item.value or not (item.is_mapping or item.is_list) for item in node.value)
    return flat and len({item.origin for item in node.value}) <= 1


def _inline(node: Node) -> str:
    if node.is_list:
        return f"[{', '.join(_inline(item) for item in node.value)}]"
    return "{}" if node.is_mapping else _scalar(node.value)


def _scalar(value: object) -> str:
    """One scalar on one line, quoted and escaped where it must be."""
    style = '"' if isinstance(value, str) and not _PLAIN.fullmatch(value) else None
    text = yaml.dump(
        value, Dumper=_Dumper, default_style=style, default_flow_style=True, width=float("inf"), allow_unicode=True
    )
    return text.removesuffix("\n").removesuffix("...").removesuffix("\n")

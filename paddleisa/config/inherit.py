"""From what a user calls a config to its tree: its file, and all that it inherits from, with PaddleSeg's rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from paddleisa.config import compat
from paddleisa.errors import ConfigError, nearest
from paddleisa.utils.environment import configs_dir
from paddleisa.utils.nodes import Node, shorten
from paddleisa.utils.yaml_reader import exists, kind_of, neighbours, read_file

BASE, INHERITED = "_base_", "_inherited_"
SUFFIXES = (".yml", ".yaml")


def shipped_configs() -> dict[str, Path]:
    """Name -> file of every shipped config that can be run (``_base_`` holds parts only), sorted by path."""
    files = sorted(configs_dir().rglob("*.yml"))
    return {file.stem: file for file in files if file.parent.name != "_base_"}


def find_config(path_or_name: str | Path) -> Path:
    """The file of a config, or the folder of a training. A bare name is a shipped config's or a published model's.

    Raises ConfigError, with the nearest names, when there is none.
    """
    text = str(path_or_name)
    path, shipped = Path(text), shipped_configs()
    if text in shipped:  # first, so that a run's folder of the same name is not in the way
        return shipped[text]
    if exists(path):
        return path
    if path.suffix in SUFFIXES and path.stem in shipped:
        raise ConfigError("does not exist", where=shorten(path), fix=f"The shipped config is named {path.stem}")
    if path.suffix in SUFFIXES or len(path.parts) > 1:
        return path  # reading it says what is wrong, and what lies beside it
    from paddleisa.zoo.catalogue.catalogue import load_catalogue  # needs pydantic, which reading a file does not

    if text in (catalogue := load_catalogue()):
        config = catalogue.get(text).config
        return shipped.get(config, Path(config))
    listing = ", ".join(shipped) or "none"
    raise ConfigError(f"there is no config {ascii(text)}", fix=f"{nearest(text, shipped)} Shipped: {listing}".strip())


def load_tree(path: Path) -> Node:
    """The merged tree of ``path``: its bases in their order, then the file itself. The later value wins.

    Each file is brought to today's spelling before it is merged, so that old and new files may inherit from each
    other. Raises ConfigError for an unreadable file and for files that inherit from each other in a circle.
    """
    return compat.finish(_Loading().load(path, ()))


def merge(base: Node, own: Node) -> Node:
    """``own`` over ``base``: mappings merge key by key, anything else replaces.

    ``_inherited_: False`` in a mapping drops what it would have inherited; the key itself never stays in a config.
    """
    if not own.is_mapping:
        return strip(own)
    inherits, options = _take_inherited(own)
    old = base.value if base.is_mapping and inherits else {}
    merged = dict(old)
    for key, child in options.items():
        merged[key] = merge(old[key], child) if key in old else strip(child)
    return replace(own, value=merged)


def strip(node: Node) -> Node:
    """``node`` without the key ``_inherited_``, at any depth."""
    if node.is_mapping:
        return replace(node, value={key: strip(child) for key, child in _take_inherited(node)[1].items()})
    return replace(node, value=[strip(child) for child in node.value]) if node.is_list else node


def _take_inherited(node: Node) -> tuple[bool, dict[str, Node]]:
    flag = node.value.get(INHERITED)
    if flag is None:
        return True, node.value
    if not isinstance(flag.value, bool):
        raise ConfigError(f"{INHERITED} is {kind_of(flag.value)}", where=flag.origin, fix="Write True or False")
    return flag.value, {key: child for key, child in node.value.items() if key != INHERITED}


class _Loading:
    """One load: a file that several others inherit from is read once."""

    def __init__(self) -> None:
        self._done: dict[Path, Node] = {}

    def load(self, path: Path, chain: tuple[Path, ...]) -> Node:
        path = _absolute(path)
        if path in chain:
            circle = " -> ".join(shorten(file) for file in (*chain[chain.index(path) :], path))
            raise ConfigError(f"inherits from itself: {circle}", where=shorten(chain[-1]), fix=f"Remove one {BASE}")
        if path not in self._done:
            self._done[path] = self._load(path, (*chain, path))
        return self._done[path]

    def _load(self, path: Path, chain: tuple[Path, ...]) -> Node:
        own = read_file(path)
        bases = _base_nodes(own)
        own = _absolute_plugins(compat.modernise(_without(own, BASE)), path.parent)
        merged = replace(own, value={})
        for base in bases:
            file = path.parent / base.value
            if not exists(file) and base.value in (shipped := shipped_configs()):
                file = shipped[base.value]
            if not exists(file):
                problem = f"the {BASE} {ascii(base.value)} does not exist"
                raise ConfigError(problem, where=base.origin, fix=neighbours(file))
            merged = merge(merged, self.load(file, chain))
        return merge(merged, own)


def _base_nodes(tree: Node) -> list[Node]:
    base = tree.value.get(BASE)
    nodes = [] if base is None else base.value if base.is_list else [base]
    for node in nodes:
        if not isinstance(node.value, str) or not node.value:
            raise ConfigError(
                f"{BASE} is {kind_of(node.value)}", where=node.origin, fix="Give one file name or a list of file names"
            )
    return nodes


def _absolute_plugins(tree: Node, folder: Path) -> Node:
    """Plug-ins are named relative to the file that names them, which is no longer known after the merge."""
    plugins = tree.value.get("plugins")
    if plugins is None or not plugins.is_list:
        return tree
    files = [replace(n, value=str(folder / n.value)) if isinstance(n.value, str) else n for n in plugins.value]
    return tree.with_at(("plugins",), replace(plugins, value=files))


def _without(tree: Node, key: str) -> Node:
    return replace(tree, value={name: child for name, child in tree.value.items() if name != key})


def _absolute(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a NUL, a circle of links
        raise ConfigError("is not a usable file name", where=ascii(str(path))) from error

"""What a command line or a caller sets on top of a config's files: ``--opts a.b=1``, ``--batch_size 4``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from paddleisa.errors import ConfigError, nearest, one_of
from paddleisa.utils.nodes import KeyPath, Node, Origin, dotted, graft
from paddleisa.utils.yaml_reader import kind_of, parse

FLAG_PATHS = {"learning_rate": ("lr_scheduler", "learning_rate")}  # all other flags are top-level keys


def apply_opts(tree: Node, opts: Iterable[str]) -> Node:
    """``tree`` with each ``key.path=value`` of ``opts`` set, in their order.

    A path's parts are keys, or indices in lists from 0; the value is YAML and may hold ``=``. The last key may be new
    (whether the component knows it is checked later), those before it must exist.
    """
    for opt in [opts] if isinstance(opts, str) else opts:
        key, equals, text = str(opt).partition("=")
        origin = Origin(f"--opts {opt}")
        if not equals or not key.strip():
            raise ConfigError("is not of the form key.path=value", where=origin, fix="For example: --opts iters=100")
        value = parse(text, str(origin), line=None)
        tree = set_value(tree, key.strip().split("."), value or Node(None, origin), origin)
    return tree


def apply_flags(tree: Node, flags: Mapping[str, object]) -> Node:
    """``tree`` with ``{"batch_size": 4}`` set as by ``--batch_size 4``; None means that the flag was not given.

    ``learning_rate`` sets ``lr_scheduler.learning_rate``, as in PaddleSeg.
    """
    for name, value in flags.items():
        if value is not None:
            origin = Origin(f"--{name} {value}")
            tree = set_value(tree, FLAG_PATHS.get(name, (name,)), graft(value, origin), origin)
    return tree


def set_value(tree: Node, keys: Iterable[str], node: Node, origin: Origin) -> Node:
    """``tree`` with ``node`` at ``keys``; ConfigError at ``origin`` when the way there does not exist."""
    path: KeyPath = ()
    keys = list(keys)
    for depth, key in enumerate(keys):
        parent, last = tree.nearest_at(path), depth == len(keys) - 1
        if parent.is_list:
            path = (*path, _index(key, parent, path, origin))
        elif parent.is_mapping and (last or key in parent.value):
            path = (*path, key)
        elif parent.is_mapping:
            raise _missing(parent, path, keys, depth, origin)
        else:
            where = dotted(path) or "the config"
            raise ConfigError(
                f"{where} is {kind_of(parent.value)}: it has no {key!r}",
                where=origin,
                fix=f"Its value stands at {parent.origin}",
            )
    return tree.with_at(path, Node(node.value, origin))


def _index(key: str, parent: Node, path: KeyPath, origin: Origin) -> int:
    length = len(parent.value)
    if not (key.isascii() and key.isdigit()):
        raise ConfigError(
            f"{dotted(path)} is a list: {key!r} is not an index", where=origin, fix=_listing(parent) or "It is empty"
        )
    if len(key) > 6 or int(key) >= length:
        fix = f"Use 0 to {length - 1}: {_listing(parent)}" if length else "It is empty"
        raise ConfigError(f"{dotted(path)} has {length} items, none at index {key[:20]}", where=origin, fix=fix)
    return int(key)


def _listing(parent: Node) -> str:
    """``0 ResizeStepScaling, 1 Normalize``: what the indices of a list of components stand for."""
    kinds = [item.child("type") for item in parent.value]
    names = [str(kind.value) if kind else kind_of(item.value) for kind, item in zip(kinds, parent.value, strict=True)]
    return ", ".join(f"{index} {name}" for index, name in enumerate(names[:20]))


def _missing(parent: Node, path: KeyPath, keys: list[str], depth: int, origin: Origin) -> ConfigError:
    key, rest = keys[depth], keys[depth + 1 :]
    where = f"{dotted(path)} has" if path else "the config has"
    if nearest(key, parent.value):
        return ConfigError(f"{where} no {key!r}", where=origin, fix=one_of(key, parent.value))
    value = "VALUE"
    for part in reversed(rest):
        value = f"{{{part}: {value}}}"
    whole = dotted((*path, key))
    return ConfigError(f"{where} no {key!r} yet", where=origin, fix=f"To make it, write --opts '{whole}={value}'")

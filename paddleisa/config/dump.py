"""A config as YAML text, each value with its origin behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from paddleisa.utils.nodes import Node
from paddleisa.utils.yaml_reader import Loader

_PLAIN = re.compile(r"[A-Za-z0-9_./+-]+([ :][A-Za-z0-9_./+-]+)*")  # else quoted; the reader's own rules come on top


class _Dumper(yaml.SafeDumper):
    """Writes scalars as our Loader reads them: quotes text that the Loader would take for a number."""

    yaml_implicit_resolvers = Loader.yaml_implicit_resolvers

    def ignore_aliases(self, data: object) -> bool:
        return True


def dump_tree(tree: Node, origins: bool = True) -> str:
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

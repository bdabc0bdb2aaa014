"""Every component that a config may name, with its options: read from the registries, constructors and docstrings."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from paddleisa.config.signature import UNKNOWN, Option, options_of
from paddleisa.config.values import describe
from paddleisa.registry import TABLES, Registry


@dataclass(frozen=True)
class OptionInfo:
    """An option of a component."""

    name: str  # as a config writes it
    accepts: str  # what its value may be, in words
    default: str | None  # what it is where a config says nothing; None where it must be given
    about: str  # from the class's docstring, one line; empty where that says nothing


@dataclass(frozen=True)
class ComponentInfo:
    """A class that ``type`` may name."""

    kind: str  # of its table, ``"backbone"``
    name: str  # as ``type`` gives it
    about: str  # the first sentence of its docstring
    options: list[OptionInfo]  # in the constructor's order


def components() -> list[ComponentInfo]:
    """All registered components, plug-ins that are imported included, table by table."""
    return [_info(table, name) for table in TABLES for name in table]


def explanations() -> dict[str, str]:
    """Names of PaddleSeg's components that have no place here, and what to write instead of each."""
    return {name: sentence for table in TABLES for name, sentence in table.explained.items()}


def markdown() -> str:
    """All of it as a page: a section for each kind, a table of options for each component."""
    lines = []
    for table in TABLES:
        lines += [f"## {plural(table.kind).capitalize()}", ""]
        for info in (_info(table, name) for name in table):
            lines += [f"### {info.name}", "", info.about, ""]
            if info.options:
                lines += ["| option | value | default | |", "|---|---|---|---|"]
                lines += [f"| {' | '.join(map(_cell, _row(option)))} |" for option in info.options]
                lines.append("")
        if table.explained:
            lines += [f"Of PaddleSeg, but not here, because ISANet cannot use them ({plural(table.kind)}):", ""]
            lines += [f"- `{name}`: {sentence}." for name, sentence in sorted(table.explained.items())] + [""]
    return "\n".join(lines)


def plural(kind: str) -> str:
    """``backbone`` -> ``backbones``, ``loss`` -> ``losses``."""
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"


def _row(option: OptionInfo) -> tuple[str, str, str, str]:
    return (
        f"`{option.name}`",
        option.accepts,
        "must be given" if option.default is None else option.default,
        option.about,
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _info(table: Registry, name: str) -> ComponentInfo:
    cls = table.get(name)
    text = inspect.getdoc(cls) or ""
    about = " ".join(text.partition("\n\n")[0].split())
    docs = [inspect.cleandoc(base.__doc__) for base in reversed(cls.__mro__) if base.__doc__]  # the nearest wins
    explained = {argument: words for doc in docs for argument, words in _arguments(doc)}
    options = [_option(option, explained.get(option.name, "")) for option in options_of(cls).known.values()]
    return ComponentInfo(table.kind, name, about, options)


def _option(option: Option, about: str) -> OptionInfo:
    accepts = "anything" if option.annotation is UNKNOWN else describe(option.annotation)
    default = None if option.required else _shown(option.default)
    return OptionInfo(option.name, accepts, default, about)


def _shown(default: object) -> str:
    """A default as YAML has it."""
    if isinstance(default, tuple | list):
        return f"[{', '.join(map(_shown, default))}]"
    return json.dumps(default) if default is None or isinstance(default, bool) else str(default)


def _arguments(text: str) -> Iterator[tuple[str, str]]:
    """(name, description) of each argument in the ``Args:`` section of a Google-style docstring."""
    section = re.search(r"^Args:\n((?:[ \t]+\S.*\n?|\n(?=[ \t]))+)", text, re.MULTILINE)
    for entry in re.split(r"\n(?= {4}\S)", section[1].rstrip()) if section else ():
        names, _, words = entry.strip().partition(":")
        for name in names.split(","):
            yield name.strip(), " ".join(words.split())

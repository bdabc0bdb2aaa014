"""Writes docs/paddleseg-table.md: PaddleSeg's names, each looked up in registries, settings, commands, refusals."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import yaml

from paddleisa.cli import main as commands
from paddleisa.config.listing import plural
from paddleisa.config.schema import ELSEWHERE, Export, Loss, Settings, TestConfig
from paddleisa.config.signature import effect_of, options_of
from paddleisa.config.values import fits
from paddleisa.registry import TABLES

PAGE = Path(__file__).parents[1] / "docs/paddleseg-table.md"
NAMES = yaml.safe_load(Path(__file__).with_name("paddleseg_names.yml").read_text(encoding="utf-8"))
PLACE = {"backbone": "model.backbone"}  # where the config refuses options of a component by their path
SECTIONS = {"loss": Loss, "test_config": TestConfig, "export": Export}
DEPLOY = {"Global": "Only PaddleX reads it"}
HEAD = """\
# PaddleSeg's names, one by one

Made from the code by `python scripts/paddleseg_table.py`: every name is looked up in what configs and commands are
checked against. "yes" is accepted with PaddleSeg's meaning, "no effect" is accepted, changes nothing and says so,
"no" is refused with the sentence shown.
[From PaddleSeg](from-paddleseg.md) has the differences in what a name computes.
"""


@dataclass(frozen=True)
class Row:
    """A name of PaddleSeg's and what becomes of it.

    Attributes:
        section: of the page.
        owner: component, command or file that the name belongs to; empty for a name that stands alone.
        name: of the component, option or key; empty for the owner itself.
        state: ``yes``, ``no effect``, ``no``, or ``unknown``, which no row may have.
        words: what to write instead, why it has no effect, the only value that it may have; for a file, our command.
    """

    section: str
    owner: str
    name: str
    state: str
    words: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.section.rpartition(":")[0], self.owner, self.name)))


def rows() -> Iterator[Row]:
    """Every name of paddleseg_names.yml, in its order."""
    for table in TABLES:
        section = plural(table.kind).capitalize()
        for name, options in NAMES.get(table.kind, {}).items():
            if name not in table:
                yield Row(section, name, "", *_refused(table.explained.get(name)))
                continue
            yield Row(section, name, "", "yes")
            for option in options:
                path = f"{PLACE.get(table.kind, table.kind)}.{option}"
                yield Row(section, name, option, *_option(options_of(table.get(name)).known, option, path))
    yield from (Row("Keys of a config", key, "", *_key(key)) for key in NAMES["keys"])
    for file, command in NAMES["commands"].items():
        for name, options in command.items():
            known, section = _parser(name).options(), f"Options of {file}: `paddleisa {name}`"
            for option in (f"--{word}" for word in options):
                told = _refused(commands.ELSEWHERE.get(option))
                yield Row(section, option, "", *(("yes", "") if option in known else told))
    for file, command in NAMES["tools"].items():
        yield Row("Other files", file, "", *_tool(command))
    for section, keys in NAMES["deploy"].items():
        for key in keys:
            yield Row("Keys of deploy.yaml", f"{section}.{key}", "", *_refused(DEPLOY.get(section), "yes"))


def page() -> str:
    """The rows as Markdown: a table for each section, a component and its options in one line."""
    lines = [HEAD]
    for section, found in groupby(rows(), lambda row: row.section):
        lines += [f"## {section}", "", "| name | | options and notes |", "|---|---|---|"]
        for owner, parts in groupby(found, lambda row: row.owner):
            first, *options = parts
            notes = [f"`{row.name}`" + (f" ({row.state}: {row.words})" if row.words else "") for row in options]
            text = "; ".join([first.words, *notes] if first.words else notes).replace("|", "\\|")
            lines.append(f"| `{owner}` | {first.state} | {text} |")
        lines.append("")
    return "\n".join(lines)


def _refused(sentence: str | None, otherwise: str = "unknown") -> tuple[str, str]:
    return ("no", f"{sentence}.") if sentence else (otherwise, "")


def _option(known: dict, name: str, path: str) -> tuple[str, str]:
    if name not in known:
        return _refused(ELSEWHERE.get(path))
    option = known[name]
    if effect := effect_of(option.annotation):
        return "no effect", effect.text
    default = option.default
    other = not default if isinstance(default, bool) else default + 1 if isinstance(default, int) else None
    only = other is not None and not fits(other, option.annotation)
    return "yes", f"only {json.dumps(default)}" if only else ""


def _key(path: str) -> tuple[str, str]:
    section, _, rest = path.rpartition(".")
    return _option(options_of(SECTIONS.get(section, Settings)).known, rest, path)


def _parser(command: str) -> commands.Parser:
    parser = commands.Parser()
    importlib.import_module(f"paddleisa.cli.{command}").add_arguments(parser)
    return parser


def _tool(command: str | None) -> tuple[str, str]:
    if command is None:
        return "no", "Classes exclude each other here."
    first, *action = command.split()
    choices = next((a.choices for a in _parser(first)._actions if a.dest == "action"), {}) if action else [*action]
    return ("yes", f"`paddleisa {command}`") if set(action) <= set(choices or ()) else ("unknown", "")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

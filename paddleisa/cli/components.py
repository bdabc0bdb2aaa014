"""``paddleisa components``: what a config may name, and with which options."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from paddleisa.cli import common

if TYPE_CHECKING:
    from paddleisa.config.listing import ComponentInfo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``components``."""
    parser.add_argument("names", nargs="*", metavar="NAME|KIND", help="components, or kinds such as loss; else all")
    parser.add_argument("--markdown", action="store_true", help="print everything as a page")
    common.add_shared(parser, "plugin", "json")


def run(args: argparse.Namespace) -> int:
    """Print names and first sentences; of what is named, the options too."""
    from paddleisa.config.listing import components, explanations, markdown, plural
    from paddleisa.config.plugins import import_plugin
    from paddleisa.errors import UsageError, one_of
    from paddleisa.utils.environment import load_paddle

    load_paddle()
    for file in args.plugin:
        import_plugin(file, "--plugin")
    known, elsewhere = components(), explanations()
    names = {word: [c for c in known if word in (c.name, c.kind, plural(c.kind))] for word in args.names}
    for word, found in names.items():
        if not found and word in elsewhere:
            print(f"{word} is not here: {elsewhere[word]}")
        elif not found:
            fix = one_of(word, [*(c.name for c in known), *{c.kind for c in known}])
            raise UsageError(f"there is no component {word!r}", fix=fix)
    chosen = [component for found in names.values() for component in found] if args.names else known
    if args.markdown:
        print(markdown())
    elif args.names:
        print("\n".join(line for component in chosen for line in _whole(component)))
    else:
        print("\n".join(_overview(chosen)))
    common.write_json(args.json, {"components": [asdict(component) for component in chosen], "elsewhere": elsewhere})
    return 0


def _overview(chosen: list[ComponentInfo]) -> list[str]:
    from paddleisa.config.listing import plural

    lines, width = [], max((len(component.name) for component in chosen), default=0)
    for number, component in enumerate(chosen):
        if number == 0 or chosen[number - 1].kind != component.kind:
            lines.append(f"{plural(component.kind)}:")
        lines.append(f"  {component.name:<{width}}  {component.about}")
    return [*lines, "", "paddleisa components NAME shows the options"]


def _whole(component: ComponentInfo) -> list[str]:
    lines = [f"{component.name} ({component.kind}): {component.about}"]
    for option in component.options:
        default = "must be given" if option.default is None else f"default {option.default}"
        lines.append(f"  {option.name}: {option.accepts}; {default}")
        if option.about:
            lines.append(f"      {option.about}")
    return lines

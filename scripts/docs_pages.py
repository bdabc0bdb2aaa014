"""Pages that are made of the code when the site is built: the Python reference, and the table of components."""

from __future__ import annotations

import ast
from pathlib import Path

import mkdocs_gen_files

from paddleisa.config.listing import markdown

PACKAGE = Path(__file__).parents[1] / "paddleisa"


def reference() -> str:
    """One page with every public module, room by room."""
    lines = ["# Python reference", "", "What `import paddleisa` offers, then every room.", "", "::: paddleisa", ""]
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if any(part.startswith("_") for part in parts) or "cli" in parts:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_" for node in tree.body):
            lines += [f"::: {'.'.join(parts)}", ""]
    return "\n".join(lines)


def components() -> str:
    """Every registered component with its options, their kinds and defaults, as `paddleisa components` lists them."""
    return f"# Components\n\nWhat a config's `type:` may name, and the options of each.\n\n{markdown()}"


for page, text in (("reference/python.md", reference()), ("reference/components.md", components())):
    with mkdocs_gen_files.open(page, "w") as stream:
        stream.write(text)

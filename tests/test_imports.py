"""What import-linter (``make lint``) cannot see of the package's imports."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path

import pytest

import paddleisa

PACKAGE = Path(paddleisa.__file__).parent
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("file", [file for file in FILES if file not in ("__init__.py", "__main__.py")])
def test_no_module_reaches_another_through_the_packages_lazy_names(file):
    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
    whole = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    parts = [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "paddleisa"
        for alias in node.names
    ]
    assert "paddleisa" not in whole
    assert set(parts) <= {"__version__"}


def test_what_is_deprecated_is_an_error_where_the_package_uses_it():
    with pytest.raises(DeprecationWarning):
        warnings.warn_explicit("old", DeprecationWarning, "layers.py", 1, module="paddleisa.models.layers")

"""Python files of users, named in a config or with ``--plugin``, whose import registers their components."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from pathlib import Path

from paddleisa.errors import ConfigError, PaddleISAError, text_of
from paddleisa.utils.nodes import shorten


def import_plugin(path: str | Path, where: object = None) -> None:
    """Run the Python file ``path`` as a module, once per process.

    Args:
        path: the file. Its folder is not added to ``sys.path``.
        where: the config line or option that names it.

    Raises:
        ConfigError: the file is missing, or fails; the message names the line of the plug-in that does.
    """
    path = Path(path)
    name = f"paddleisa_plugin_{hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return
    try:
        found = path.suffix == ".py" and path.is_file()
    except (OSError, ValueError):
        found = False
    if not found:
        raise ConfigError(
            f"the plugin {ascii(shorten(path))} is not a Python file",
            where=where,
            fix="Name an existing .py file, relative to the config that names it",
        )
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # a .py file has both
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: pickling and annotations of its classes look here
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # a plug-in may raise anything; Ctrl-C stays Ctrl-C
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise ConfigError(
            f"the plugin fails: {_reason(error)}",
            where=f"{shorten(path)}:{_line(error, path)}",
            fix=f"It is named at {where}" if where else None,
        ) from error


def _reason(error: BaseException) -> str:
    if isinstance(error, PaddleISAError):
        return f"{error.problem}. {error.fix}" if error.fix else error.problem
    text = error.msg if isinstance(error, SyntaxError) else text_of(error)
    return f"{type(error).__name__}: {text}".splitlines()[0][:300]


def _line(error: BaseException, path: Path) -> int:
    """The plug-in's own line that led to ``error``."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 1
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno or 1 for frame in reversed(frames) if frame.filename == str(path)), 1)

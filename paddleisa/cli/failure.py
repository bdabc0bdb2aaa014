"""What a command says of an error that nobody has foreseen: one line, and how to see and report the rest."""

from __future__ import annotations

import os
import re
import sys
import traceback
from pathlib import Path

from paddleisa.errors import text_of
from paddleisa.utils.gpu import explained
from paddleisa.utils.nodes import shorten

TRACEBACK = "PADDLEISA_TRACEBACK"
_PACKAGE = Path(__file__).resolve().parents[1]
_MEMORY = (
    "bad_alloc",
    "out of memory",
    "cannot allocate",
    "insufficient memory",
    "resourceexhausted",
    "failed to allocate",
)


def tells_all() -> bool:
    """Whether the user wants tracebacks: ``--traceback`` sets the variable."""
    return os.environ.get(TRACEBACK, "").strip().lower() not in ("", "0", "false", "no")


def sentence(error: BaseException) -> str:
    """One line for an error that is none of ours."""
    if said := explained(error):
        return said
    text = _essence(text_of(error))
    if isinstance(error, MemoryError) or any(word in text.lower() for word in _MEMORY):
        return (
            f"there is not enough memory for this ({_short(text) or 'MemoryError'}). Make batch_size, crop_size or the "
            "images smaller"
        )
    kind, place, ours = type(error).__name__, *_place(error)
    if not ours:
        return f"{place} fails: {kind}: {_short(text)}"
    return (
        f"a fault of paddleisa or of what it is built on: {kind}: {_short(text)} ({place}). Please report it, with the "
        "command and what it prints with --traceback"
    )


def show(error: BaseException) -> None:
    """The sentence on stderr, the traceback with it where the user wants it."""
    if tells_all():
        traceback.print_exception(error)
    print(f"paddleisa: error: {sentence(error)}", file=sys.stderr)
    if not tells_all():
        print(f"paddleisa: --traceback, or {TRACEBACK}=1, shows where it comes from", file=sys.stderr)


def _place(error: BaseException) -> tuple[str, bool]:
    """File and line that ``error`` comes from, and whether that is no plug-in: the innermost of either's lines."""
    place, ours = "unknown place", True
    for frame, line in traceback.walk_tb(error.__traceback__):
        plugin = str(frame.f_globals.get("__name__", "")).startswith("paddleisa_plugin_")
        if plugin or _PACKAGE in Path(frame.f_code.co_filename).parents:
            place, ours = f"{shorten(frame.f_code.co_filename)}:{line}", not plugin
    return (place if ours else f"the plugin {place}"), ours


def _essence(text: str) -> str:
    """The line of a message that says something: Paddle's own stands below its C++ calls."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if re.match(r"\(?\w*Error\b|\(\w+\)|Error:", line)]
    return (telling or lines or [""])[-1 if telling else 0]


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:197]}..."

"""The process that runs one measurement: ``python -m paddleisa.bench.child MODULE:FUNCTION``.

Takes the function's arguments as JSON on stdin and prints, as JSON on stdout, ``{"value": what it returned}`` or
``{"problem": why there is nothing}``.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from pathlib import Path

from paddleisa.errors import PaddleISAError

# What Paddle, CUDA, ONNX Runtime and the C++ library say when there is no memory left.
OUT_OF_MEMORY = (
    "resourceexhausted",
    "out of memory",
    "bad_alloc",
    "cannot allocate",
    "failed to allocate",
    "bad alloc",
)


def says_out_of_memory(text: str) -> bool:
    """Whether an error's text means that memory ran out."""
    return any(words in text.lower() for words in OUT_OF_MEMORY)


def main(name: str) -> int:
    """Run one measurement; see the module's text."""
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries print; stdout is for the answer alone
    _be_killed_first()
    params = json.load(sys.stdin)
    module, _, function = name.partition(":")
    try:
        answer = {"value": getattr(importlib.import_module(module), function)(**params)}
    except PaddleISAError as error:
        answer = {"problem": str(error)}
    except Exception as error:  # of whatever kind: it is told in the table, and the other measurements go on
        traceback.print_exc()
        lost = isinstance(error, MemoryError) or says_out_of_memory(str(error))
        answer = {"problem": "out of memory: an allocation failed" if lost else _summary(error)}
    with os.fdopen(answers, "w", encoding="utf-8") as stream:
        json.dump(answer, stream)
    return 0


def _summary(error: Exception) -> str:
    """An error in one line: of Paddle's many lines that of the cause, which begins with its kind in brackets."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" -")]
    chosen = next((line for line in lines if line.startswith("(")), lines[0] if lines else "")
    return f"failed: {type(error).__name__}: {chosen[:300]}"


def _be_killed_first() -> None:
    """When memory runs out, Linux shall end this process and no other."""
    score = Path("/proc/self/oom_score_adj")
    if os.access(score, os.W_OK):
        score.write_text("1000", encoding="ascii")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

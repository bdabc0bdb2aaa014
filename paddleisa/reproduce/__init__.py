"""Published scores measured again: preflight, targets, the resumable loop, result, report.

The room has the name of its function, so that it can be called like it: ``paddleisa.reproduce("NAME")`` is
:func:`paddleisa.reproduce.reproduce.reproduce`.
"""

from __future__ import annotations

import sys
import types
from typing import Any


class _Room(types.ModuleType):
    def __call__(self, *args: Any, **options: Any) -> Any:
        from paddleisa.reproduce.reproduce import reproduce

        return reproduce(*args, **options)


sys.modules[__name__].__class__ = _Room

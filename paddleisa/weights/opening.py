"""Opening files of weights: only regular ones, and errors that name the place."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paddleisa.errors import WeightsError


@contextmanager
def placed(path: str | os.PathLike) -> Iterator[None]:
    """Give the WeightsErrors of the block, which do not know the file, their place; make OSErrors WeightsErrors."""
    try:
        yield
    except WeightsError as error:
        if error.where is not None:
            raise
        raise WeightsError(error.problem, where=path, fix=error.fix) from error
    except OSError as error:
        raise WeightsError(f"cannot be read ({error.strerror or error})", where=path) from error


def open_regular(path: str | os.PathLike) -> io.BufferedIOBase:
    """Open ``path`` for reading when it is a file: a pipe would block, a device may not end."""
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise WeightsError("there is no such weights file", fix="Check the path") from error
    if stat.S_ISDIR(mode):
        raise WeightsError("is a folder, not a weights file", fix="Give the file in it, for example model.pdparams")
    if not stat.S_ISREG(mode):
        raise WeightsError("is a pipe or device, not a weights file", fix="Give a regular file")
    return path.open("rb")

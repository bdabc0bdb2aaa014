"""Folders that are either whole or not there: filled under another name, then renamed."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paddleisa.utils.files import fsync_folder, write_error


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, which takes the name ``target`` only when the block ends without an exception.

    A folder of that name is replaced, so the caller must know that it may be. Readers of its files keep what they
    have opened.

    Raises:
        WriteError: the folder cannot be made or renamed.
    """
    filling, aside = (target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.{what}") for what in ("part", "old"))
    try:
        filling.mkdir(parents=True)
        yield filling
        _sync(filling)
        if target.exists():
            target.rename(aside)
        try:
            filling.rename(target)
        except OSError:
            if aside.exists():
                aside.rename(target)
            raise
        fsync_folder(target.parent)
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        for folder in (filling, aside):
            shutil.rmtree(folder, ignore_errors=True)


def _sync(folder: Path) -> None:
    for file in folder.iterdir():
        handle = os.open(file, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    fsync_folder(folder)

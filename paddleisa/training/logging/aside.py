"""Earlier logs of a folder in which a new run begins."""

from __future__ import annotations

from pathlib import Path

from paddleisa.training.logging import console, jsonl, records, visual
from paddleisa.utils.files import write_error


def set_aside(folder: Path) -> None:
    """Rename the logs of an earlier run: ``train.log`` to ``train.N.log`` and so on, with the first free N.

    VisualDL then shows the earlier run beside the new one, so its file must not be torn. Raises WriteError.
    """
    present = [folder / name for name in (console.FILE_NAME, jsonl.FILE_NAME, visual.FOLDER)]
    present = [path for path in present if path.exists()]
    if not present:
        return
    number = 1
    while any(_numbered(path, number).exists() for path in present):
        number += 1
    run = folder / visual.FOLDER / visual.FILE_NAME
    if run.exists():
        records.repair(run)
    for path in present:
        try:
            path.rename(_numbered(path, number))
        except OSError as error:
            raise write_error(path, error) from error


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}.{number}{path.suffix}")

"""Labels made of downloaded ones, which every preparation ends with, in several processes; none replaced unasked."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import numpy as np

from paddleisa.datasets.images import read_label, write_label
from paddleisa.errors import DataError, UsageError
from paddleisa.utils.concurrency import on_files
from paddleisa.utils.files import PART, remove_leftovers
from paddleisa.utils.process import exclusive

Result = TypeVar("Result")
Made = Literal["made", "kept"]


class Label(NamedTuple):
    """A label to make: ``target``, of what ``read(source)`` gives, (H, W) uint8; ``read`` is importable by name.

    Attributes:
        source: the downloaded file.
        target: the PNG.
        read: reads ``source`` as class ids.
        slow: a whole target that is newer than its source is kept unread, since looking is far quicker than reading.
    """

    source: str
    target: str
    read: Callable[[str], np.ndarray]
    slow: bool = False


@dataclass
class Prepared:
    """How many labels were made, and how many were there already and right."""

    made: int = 0
    kept: int = 0


def make_labels(
    labels: Sequence[Label],
    *,
    palette: np.ndarray | None = None,
    overwrite: bool = False,
    workers: int = 2,
    progress: bool = True,
) -> Prepared:
    """Make all labels that are not there; DataError, after all others were made, with the files that failed."""
    function = functools.partial(_make, palette=palette, overwrite=overwrite)
    done = Counter(on_files(function, labels, workers, what="convert", name=_source_of, progress=progress))
    return Prepared(done["made"], done["kept"])


def make_label(
    target: Path, label: np.ndarray, source: str | Path, *, palette: np.ndarray | None = None, overwrite: bool = False
) -> Made:
    """Write a label, or keep the equal one that is there.

    Args:
        target: the PNG to write.
        label: (H, W) uint8 class ids.
        source: the file that it was made from, for messages.
        palette: (K, 3) uint8 for a palette PNG.
        overwrite: replace a file that is there and different.

    Raises:
        DataError: a file is there and different.
    """
    if target.is_symlink() or target.exists():
        problem = _difference(target, label)
        if problem is None:
            return "kept"
        if not overwrite:
            raise DataError(
                f"{problem} what {Path(source).name} gives",
                where=target,
                fix="Give --overwrite to make it again, or move it away if it is yours",
            )
    write_label(target, label, palette)
    return "made"


def read_matlab(path: str | Path, name: str, field: str = "") -> np.ndarray:
    """(H, W) of whole numbers from 0 in a MATLAB file: its variable ``name``, or a ``field`` of that struct.

    Raises:
        DataError: missing or damaged file, or one that holds something else; it names the file.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    again = "Unpack the archive again"
    try:
        values = loadmat(str(path), variable_names=[name])[name]
        values = np.asarray(values[0][field][0] if field else values)
    except FileNotFoundError as error:
        raise DataError("there is no such file", where=path, fix=again) from error
    except KeyError as error:
        fix = f"Give the folder whose files hold {name}" + (", SBD's folder cls, not inst" if name == "GTcls" else "")
        raise DataError(f"the MATLAB file holds no {name}", where=path, fix=fix) from error
    except (MatReadError, ValueError, TypeError, IndexError, OSError, NotImplementedError, EOFError) as error:
        raise DataError(f"the MATLAB file cannot be read ({error})", where=path, fix=again) from error
    if values.ndim != 2 or values.dtype.kind not in "uif" or values.size == 0 or values.min() < 0:
        raise DataError(f"{name} holds {values.dtype} values of shape {values.shape}", where=path, fix=again)
    return values.astype(np.int64)


def require_scipy() -> None:
    """Raise a UsageError with the command to install it when scipy is missing."""
    try:
        import scipy.io  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "reading SBD's MATLAB files needs scipy", fix="Install it with: pip install 'paddleisa[data]'"
        ) from error


def alone_in_root(makes_root: bool) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Decorator of ``function(root, ...)``: one process at a time, after what a killed one left half-written is gone.

    Args:
        makes_root: whether the function makes a root that is not there; else it says itself that it is missing.
    """

    def decorated(function: Callable[..., Result]) -> Callable[..., Result]:
        @functools.wraps(function)
        def alone(root: str | Path, *args: object, **options: object) -> Result:
            root = Path(root)
            if not makes_root and not root.is_dir():
                return function(root, *args, **options)
            with exclusive(root / "prepare", "preparing this folder", "Wait for it to end"):
                for folder in {path.parent for path in root.rglob(f".*{PART}")}:
                    remove_leftovers(folder)
                return function(root, *args, **options)

        return alone

    return decorated


def _make(label: Label, palette: np.ndarray | None, overwrite: bool) -> Made:
    """Make one label. Runs in a worker process."""
    target = Path(label.target)
    if label.slow and not overwrite and _is_newer(target, Path(label.source)):
        return "kept"
    return make_label(target, label.read(label.source), label.source, palette=palette, overwrite=overwrite)


def _source_of(label: Label) -> str:
    return label.source


def _is_newer(target: Path, source: Path) -> bool:
    """Whether a whole label is there that is newer than its source."""
    try:
        read_label(target)
        return target.stat().st_mtime_ns >= source.stat().st_mtime_ns
    except (OSError, DataError):
        return False


def _difference(target: Path, label: np.ndarray) -> str | None:
    """How the file differs from ``label``, None if it does not."""
    try:
        present = read_label(target)
    except DataError as error:
        return f"is there and unusable ({error.problem}), unlike"
    if present.shape != label.shape:
        return "is there and has another size than"
    wrong = int(np.count_nonzero(present != label))
    return f"is there and differs in {wrong} pixels from" if wrong else None

"""Labels made of downloaded ones, which every preparation ends with: in several processes, and none replaced unasked.

Processes rather than threads: reading polygons and .mat files is Python, and a decoder that crashes takes down its
process only. They are spawned, not forked, so that nothing of the caller's state (threads, paddle) comes along.
"""

from __future__ import annotations

import functools
import multiprocessing
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from tqdm import tqdm

from paddleisa.datasets.images import read_label, write_label
from paddleisa.errors import DataError, PaddleISAError, UsageError
from paddleisa.utils.concurrency import at_work, end_with_parent
from paddleisa.utils.files import PART, remove_leftovers
from paddleisa.utils.process import exclusive

Item = TypeVar("Item")
Result = TypeVar("Result")
Made = Literal["made", "kept"]
MANY = 20  # failures after which the rest is not tried


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


def on_files(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int,
    *,
    what: str,
    name: Callable[[Item], str | Path] = str,
    progress: bool = True,
) -> list[Result]:
    """``[function(item) for item in items]``, computed by ``workers`` processes; 0 computes in this one.

    Args:
        function: importable by name (a function of a module), as are its argument and result.
        items: one for each file.
        workers: number of processes.
        what: the bar's title, a verb: "convert".
        name: the file of an item, for messages.
        progress: show a bar with the time left.

    Raises:
        DataError: after all other files were tried; it names the first files that failed, each with its reason.
    """
    results: dict[int, Result] = {}
    failures: dict[int, str] = {}
    with tqdm(total=len(items), desc=what, unit="file", disable=None if progress else True) as bar:
        for number, outcome in _outcomes(function, items, min(workers, len(items)), name):
            if isinstance(outcome, BaseException):
                failures[number] = _reason(outcome, name(items[number]))
                bar.write(failures[number])
            else:
                results[number] = outcome
            bar.update()
            if len(failures) >= MANY:
                break
    if failures:
        shown = "; ".join(failures[number] for number in sorted(failures)[:3])
        stopped = "" if len(failures) < MANY else " before giving up"
        raise DataError(
            f"{len(failures)} of {len(items)} files failed to {what}{stopped}: {shown}",
            fix="Repair or replace these files and run the command again: what is done is not done twice",
        )
    return [results[number] for number in range(len(items))]


def _outcomes(function, items, workers, name):
    """(number, result or exception) in the order of completion."""
    if workers == 0:
        for number, item in enumerate(items):
            yield number, _tried(function, item)
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=end_with_parent)
    running = {}
    numbers = iter(range(len(items)))
    try:
        while True:
            for number in numbers:
                running[pool.submit(_tried, function, items[number])] = number
                if len(running) >= 4 * workers:
                    break
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                outcome = future.result()  # first: if the worker died, its file must still be among those running
                yield running.pop(future), outcome
    except BrokenProcessPool as error:
        held = ", ".join(str(name(items[number])) for number in sorted(running.values())[: 2 * workers])
        raise DataError(
            "a worker process died, killed by the system or by a crash, at one of these files or near them",
            where=held,
            fix="If memory is short use fewer --num_workers; --num_workers 0 shows which file it is",
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _tried(function: Callable[[Item], Result], item: Item) -> Result | Exception:
    """The result, or the exception as a value, so that one bad file does not end the others' work."""
    try:
        with at_work:
            return function(item)
    except Exception as error:  # of whatever kind: it is told with the file's name by the caller
        return error


def _reason(error: BaseException, file: str | Path) -> str:
    if isinstance(error, PaddleISAError):
        return str(error) if error.where else f"{file}: {error}"
    return f"{file}: {type(error).__name__}: {error}"


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

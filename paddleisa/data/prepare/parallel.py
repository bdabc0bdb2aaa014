"""The same work on many files in several processes, with progress; what fails is named by its file.

Processes rather than threads: reading polygons and .mat files is Python, and a decoder that crashes takes down its
process only. They are spawned, not forked, so that nothing of the caller's state (threads, paddle) comes along.
"""

from __future__ import annotations

import functools
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from paddleisa.errors import DataError, PaddleISAError
from paddleisa.utils.concurrency import at_work, end_with_parent
from paddleisa.utils.files import PART, remove_leftovers
from paddleisa.utils.lock import exclusive

Item = TypeVar("Item")
Result = TypeVar("Result")
MANY = 20  # failures after which the rest is not tried


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

"""What happens while the network computes, images read ahead of it and masks made behind it; and work on many files.

For the first threads suffice: decoding, resizing, matrix products and the engines release Python's lock. The second is
done by processes.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from paddleisa.errors import DataError, PaddleISAError

Item = TypeVar("Item")
Result = TypeVar("Result")
MANY = 20  # failed files after which the rest is not tried
at_work = threading.Lock()  # held by a worker process while it works on an item


def end_with_parent() -> None:
    """In a worker process: end when the parent is gone, after the item at hand, so that no file stays half-written.

    A parent that is killed tells nobody, and its workers would wait for the next item for ever.
    """

    def end() -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None  # this is a worker
        parent.join()
        with at_work:
            os._exit(1)

    threading.Thread(target=end, daemon=True).start()


def prefetched(load: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """``map(load, items)`` in order, with up to ``workers + 1`` results waiting; 0 workers load in the caller's thread.

    An exception of ``load`` is raised at its item's place, with the rest abandoned.
    """
    if workers == 0:
        yield from map(load, items)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="paddleisa-read")
    waiting: deque = deque()
    try:
        for item in items:
            waiting.append(pool.submit(load, item))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def at_once(work: Callable[[Item], Result], items: Iterable[Item], streams: int) -> Iterator[Result]:
    """``map(work, items)`` in order, with ``streams`` calls at a time; a single one is made in the caller's thread."""
    return prefetched(work, items, streams if streams > 1 else 0)


class Behind:
    """Calls ``work`` in a thread of its own, one call after the other; the caller goes on meanwhile.

    At most one call waits while another runs, so that results do not pile up. What ``work`` raises is raised in the
    caller, at its next call or at the end, and what waited is then not done.

        with Behind(write) as behind:
            for image in images:
                behind(image, compute(image))
    """

    def __init__(self, work: Callable[..., None]):
        self._work = work
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="paddleisa-behind")
        self._waiting: deque = deque()
        self._failed = False

    def __call__(self, *arguments: object) -> None:
        self._waiting.append(self._pool.submit(self._do, *arguments))
        while len(self._waiting) > 2:
            self._waiting.popleft().result()

    def _do(self, *arguments: object) -> None:
        if self._failed:
            return
        try:
            self._work(*arguments)
        except BaseException:
            self._failed = True
            raise

    def __enter__(self) -> Behind:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        try:
            # After an error of the caller's, what was handed over before is still done, as without a thread.
            while self._waiting and (kind is None or issubclass(kind, Exception)):
                self._waiting.popleft().result()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)


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

    Processes rather than threads: much of the work is Python, and a decoder that crashes takes down its process only.
    They are spawned, not forked, so that nothing of the caller's state (threads, paddle) comes along.

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

"""What happens while the network computes: images are read ahead of it, masks made and written behind it.

Threads suffice: decoding, resizing, matrix products and the engines release Python's lock.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
at_work = threading.Lock()  # held by a worker process while it works on an item


def end_with_parent() -> None:
    """In a worker process: end when the parent is gone, after the item at hand, so that no file stays half-written.

    A parent that is killed tells nobody, and its workers would wait for the next item for ever.
    """

    def wait() -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None  # this is a worker
        parent.join()
        with at_work:
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


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

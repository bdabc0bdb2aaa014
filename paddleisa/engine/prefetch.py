"""Read ahead while the network computes. Threads suffice: decoding and resizing release Python's lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item, Result = TypeVar("Item"), TypeVar("Result")


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

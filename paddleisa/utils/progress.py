"""How far a long loop is: a bar on a terminal, a line each minute elsewhere."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

EVERY = 60.0  # seconds between lines where there is no terminal


class Progress:
    """Progress of a loop over a known number of images, with the time left.

        with Progress("evaluate", len(images)) as progress:
            for image in images:
                ...
                progress.step()

    Args:
        name: of what is done.
        total: number of images; None where nobody knows.
        done: of them, before this loop began.
        show: whether anything is shown.
    """

    def __init__(self, name: str, total: int | None, done: int = 0, show: bool = True):
        self._name, self._total, self._first, self._done = name, total, done, done
        self._lines = show and not sys.stderr.isatty()
        self._bar = tqdm(total=total, initial=done, desc=name, unit="image", disable=not show or self._lines)
        self._start = self._told = time.perf_counter()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def step(self, note: str = "") -> None:
        """One more is done; ``note``, a score so far, say, is shown beside."""
        self._done += 1
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update()
        now = time.perf_counter()
        if self._lines and now - self._told >= EVERY:
            self._told = now
            each = (now - self._start) / (self._done - self._first)
            part, left = f"{self._done} images", ""
            if self._total is not None:
                part = f"{self._done}/{self._total} images"
                left = f", {tqdm.format_interval(each * (self._total - self._done))} left"
            line = f"{self._name}: {part}, {each:.1f} s each{left} {note}"
            print(line.rstrip(), file=sys.stderr, flush=True)

    def write(self, line: str) -> None:
        """A line of its own, that does not tear the bar."""
        self._bar.write(line)

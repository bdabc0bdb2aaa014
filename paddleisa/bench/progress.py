"""A bar on stderr for measurements of very different length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
_FORMAT = "{desc} {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"


def announced(items: Sequence[Item], names: Sequence[str], work: Sequence[float] | None = None) -> Iterator[Item]:
    """The items, each under its name while it is worked on.

    Args:
        items: what to measure.
        names: of the items, for the bar.
        work: what each costs, in any unit; the time left follows from it. Equal shares by default.
    """
    work = work or [1.0] * len(items)
    with tqdm(total=sum(work), bar_format=_FORMAT, disable=None) as bar:
        for item, name, share in zip(items, names, work, strict=True):
            bar.set_description(name)
            yield item
            bar.update(share)

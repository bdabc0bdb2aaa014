"""Training and validation parts: seeded, every class on both sides where that can be, and groups never torn apart."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from paddleisa.errors import UsageError


def split(presence: np.ndarray, groups: Sequence[str], val_share: float, seed: int) -> np.ndarray:
    """Which images are for validation.

    Iterative stratification (Sechidis and others, ECML PKDD 2011), over groups: the rarest class first, its groups go
    where most of it is still wanted.

    Args:
        presence: (N, K) bool, whether class k occurs in image n.
        groups: a name for each image; those of one name stay together.
        val_share: wanted share of images, and of the images of each class, in validation.
        seed: of the order among equals.

    Returns:
        (N,) bool. Both sides hold at least one group.

    Raises:
        UsageError: there is one group only.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        members[group].append(number)
    names = list(members)
    if len(names) < 2:
        fix = "Give more images, or another --group pattern"
        raise UsageError(f"{len(groups)} images in {len(names)} group cannot be divided", where="--group", fix=fix)
    sizes = np.array([len(members[name]) for name in names])
    counts = np.array([presence[members[name]].sum(0) for name in names])  # (groups, K)
    order = np.random.default_rng(seed).permutation(len(names))
    left = set(order.tolist())
    shares = np.array([1 - val_share, val_share])
    wanted, room = shares[:, None] * counts.sum(0), shares * sizes.sum()
    side = np.zeros(len(names), int)
    while left:
        remaining = counts[sorted(left)].sum(0)
        rare = min(np.flatnonzero(remaining), key=lambda k: (remaining[k], k), default=None)
        holders = [g for g in order.tolist() if g in left and (rare is None or counts[g, rare])]
        for group in sorted(holders, key=lambda g: -sizes[g] if rare is None else -counts[g, rare]):
            need = room if rare is None else wanted[:, rare]
            best = np.flatnonzero(need == need.max())
            side[group] = best[np.argmax(room[best])]
            wanted[side[group]] -= counts[group]
            room[side[group]] -= sizes[group]
            left.discard(group)
    if len(set(side.tolist())) == 1:
        smallest = int(np.argmin(sizes))
        side[smallest] = 1 - side[smallest]
    of_group = dict(zip(names, side.tolist(), strict=True))
    return np.array([of_group[group] == 1 for group in groups])


def groups_of(names: Sequence[str], pattern: str | None) -> list[str]:
    """The group of each image by its name: what ``pattern`` matches, or its first bracket; the whole name otherwise.

    Raises:
        UsageError: the pattern is no regular expression, or matches no name.
    """
    if pattern is None:
        return list(names)
    try:
        found = [re.search(pattern, name) for name in names]
    except re.error as error:
        raise UsageError(f"the pattern cannot be read ({error})", where="--group") from error
    if not any(found):
        fix = f"A name is, for example, {names[0]!r}; '^(.*)_' takes what stands before the last _"
        raise UsageError(f"the pattern {pattern!r} matches no name", where="--group", fix=fix)
    return [name if m is None else m[1 if m.re.groups else 0] for name, m in zip(names, found, strict=True)]


def likely_sequences(names: Sequence[str]) -> str | None:
    """Advice where names look like frames of a few videos; None where they do not."""
    groups = {re.sub(r"[_\-. ]?[a-zA-Z]?\d+$", "", name) for name in names}
    if not 1 < len(groups) <= len(names) / 4:
        return None
    return (
        f"names look like frames of {len(groups)} sequences: frames of one on both sides make the validation score "
        r"too good; --group '^(.*?)[_-]?[a-zA-Z]?\d+$' keeps each on one side"
    )

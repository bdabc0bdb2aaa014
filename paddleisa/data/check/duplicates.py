"""Samples compared with one another: the same photograph twice, and labels that belong to another image."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from paddleisa.data.check.split import Split
from paddleisa.data.check.stats import EDGES, THUMBNAIL

# Root mean square difference of 16 x 16 thumbnails, shades of grey. Copies of another size or JPEG quality differ by
# up to 1; the closest neighbours of CamVid's one frame per second by 3.6.
ALMOST = 2.5
# How much better two labels must fit when exchanged (correlation of edge maps). CamVid's 468 right pairs stay below
# 0.122; of exchanged pairs 75 % exceed it there, and all of those of different streets.
EXCHANGED = 0.15
_BLOCK = 1024  # rows of the comparison held in memory at once


def find_duplicates(splits: list[Split]) -> None:
    """Add the images that occur twice, in one split or in two, byte for byte or nearly."""
    places = defaultdict(list)
    for split in splits:
        for number, found in split.images.items():
            places[found.digest].append((split, number))
    for same in places.values():
        first, number = same[0]
        for split, other in same[1:]:
            image, twin = split.rows[other][0], first.rows[number][0]
            if split is not first:
                fix = "Take it out of one: what was trained on cannot be scored"
                split.add("duplicate_across_splits", image, f"is the same image as {twin} in {first.which}", fix, other)
            elif image != twin:
                split.add("duplicate", image, f"is the same image as {twin}", row=other)
    if len(splits) == 2:
        _find_near(*splits)


def _find_near(one: Split, two: Split) -> None:
    stats, other_stats = one.images, two.images
    rows, thumbs = _stacked({n: image.thumbnail for n, image in stats.items()}, THUMBNAIL**2)
    others, other_thumbs = _stacked({n: image.thumbnail for n, image in other_stats.items()}, THUMBNAIL**2)
    if not rows or not others:
        return
    squares = (thumbs**2).sum(1)
    for start in range(0, len(others), _BLOCK):
        block = other_thumbs[start : start + _BLOCK]
        distance = squares[:, None] + (block**2).sum(1) - 2 * thumbs @ block.T
        nearest = distance.argmin(0)
        for column, row in enumerate(nearest):
            a, b = rows[row], others[start + column]
            error = max(0.0, float(distance[row, column])) / thumbs.shape[1]
            if error**0.5 < ALMOST and stats[a].digest != other_stats[b].digest and block[column].std() > 4:
                fix = "Look at both. If they show one moment, take it out of one: what was trained on cannot be scored"
                problem = f"looks like {one.rows[a][0]} in {one.which} (difference {error**0.5:.1f} of 255)"
                two.add("near_duplicate", two.rows[b][0], problem, fix, b)


def find_exchanged(split: Split) -> None:
    """Add the pairs of samples whose labels fit better when exchanged: borders of classes lie on edges of the image."""
    of_image, of_label = split.images, split.labels
    both, cells = of_image.keys() & of_label.keys(), EDGES[0] * EDGES[1]
    rows, images = _stacked({number: of_image[number].edges for number in sorted(both)}, cells)
    _, labels = _stacked({number: of_label[number].edges for number in sorted(both)}, cells)
    if len(rows) < 3:  # without others there is no mean to take off
        return
    images, labels = _centred(images), _centred(labels)
    own = (images * labels).sum(1)
    for start in range(0, len(rows), _BLOCK):
        fit = images[start : start + _BLOCK] @ labels.T  # fit[i, j]: how well label j fits image i
        back = labels[start : start + _BLOCK] @ images.T  # how well label i fits image j
        gain = np.minimum(fit - own[start : start + _BLOCK, None], back - own)
        for i, j in np.argwhere(gain > EXCHANGED):
            a, b = rows[start + i], rows[j]
            if a < b and split.rows[a][1] != split.rows[b][1] and of_label[a].size == of_label[b].size:
                _exchanged(split, a, b)


def _exchanged(split: Split, a: int, b: int) -> None:
    known = {finding.row for finding in split.findings if finding.kind == "swapped_label"}
    for one, other in ((a, b), (b, a)):
        if one not in known:
            problem = (
                f"fits {split.rows[other][0]} far better than its image {split.rows[one][0]}, and the other way round"
            )
            fix = "Look at both; if so, exchange the two labels"
            split.add("swapped_label", split.rows[one][1], problem, fix, one, "warning")


def _stacked(pictures: dict[int, str], size: int) -> tuple[list[int], np.ndarray]:
    rows = [number for number, picture in pictures.items() if picture]
    values = [np.frombuffer(bytes.fromhex(pictures[number]), np.uint8) for number in rows]
    return rows, np.array(values, np.float32).reshape(len(rows), size)


def _centred(maps: np.ndarray) -> np.ndarray:
    """Maps without what they have in common (a street's layout), each of mean 0 and length 1."""
    maps = maps - maps.mean(0)
    maps -= maps.mean(1, keepdims=True)
    return maps / np.maximum(np.linalg.norm(maps, axis=1, keepdims=True), 1e-6)

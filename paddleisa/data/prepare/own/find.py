"""What somebody has labelled, by names alone: which files are photographs, which masks, which belong together.

Whatever the file format, what is found are classes with colours, and a mask of class ids per image.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath
from typing import NamedTuple

import numpy as np

from paddleisa.datasets.image_files import SUFFIXES, files_in
from paddleisa.errors import DataError
from paddleisa.visual.palette import generic_palette

IGNORED = 255
BACKGROUND = "background"
Colour = tuple[int, int, int]
_LABEL = (
    r"color_?masks?|masks?|labelTrainIds|labelIds|labels?|segmentationclass(?:aug|raw|png)?|segmentations?|segmaps?|segm?|"
    r"gtFine|ground_?truths?|truths?|gts?|annotations?|annots?|annos?"
)
_IMAGE = r"jpegimages|leftImg8bit|images?|imgs?|photos?|pictures?|originals?|inputs?|frames?|rgb"
_END = re.compile(rf"^(?P<rest>.*?)[ _.-]?(?:(?P<label>{_LABEL})|(?P<image>{_IMAGE}))$", re.IGNORECASE)
_START = re.compile(rf"^(?:(?P<label>{_LABEL})|(?P<image>{_IMAGE}))[ _.-](?P<rest>.+)$", re.IGNORECASE)


class Named(NamedTuple):
    """A class as it was found: its name, and its colour where it has one."""

    name: str
    colour: Colour | None = None


@dataclass
class Annotations:
    """Labelled images.

    Attributes:
        kind: the form in which they were found, for people.
        classes: in the order of their ids.
        images: the photographs.
        read: gives the (H, W) uint8 class ids of the image of a number, ``IGNORED`` where nothing counts.
        notes: what was decided on the way, a sentence each.
    """

    kind: str
    classes: list[Named]
    images: list[Path]
    read: Callable[[int], np.ndarray]
    notes: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """A name per class."""
        return [item.name for item in self.classes]

    @property
    def palette(self) -> np.ndarray:
        """(number of classes, 3) uint8: the colours found, others where a class has none."""
        others = iter(generic_palette(255).tolist())
        taken = {item.colour for item in self.classes}
        colours = []
        for number, item in enumerate(self.classes):
            if item.colour is not None:
                colours.append(item.colour)
            elif number == 0 and item.name == BACKGROUND:
                colours.append((0, 0, 0))
            else:
                colours.append(next(colour for colour in map(tuple, others) if colour not in taken))
        return np.array(colours, np.uint8)


@dataclass
class Pairs:
    """Photographs with their masks.

    Attributes:
        pairs: (photograph, mask), in the order of their names.
        without_mask: photographs that no mask belongs to.
        without_image: masks that no photograph belongs to.
    """

    pairs: list[tuple[Path, Path]] = field(default_factory=list)
    without_mask: list[Path] = field(default_factory=list)
    without_image: list[Path] = field(default_factory=list)


def find_files(folder: Path, leave_out: Path) -> list[Path]:
    """All files below ``folder`` in the order of their names, but hidden ones and those in ``leave_out``."""
    if not folder.is_dir():
        raise DataError("the folder does not exist", where=folder, fix="Give the folder with your images and masks")
    return files_in(folder, [leave_out])


def pair(files: list[Path], folder: Path, images: str | None = None, masks: str | None = None) -> Pairs:
    """Pair the image files among ``files`` by what their names share.

    A mask is told by a word in its name or folder (``masks/a.png``, ``a_label.png``, ``trainannot/a.png``); where no
    word says which is which, of ``a.jpg`` and ``a.png`` the PNG is the mask. Words for mask and image are no part of
    the shared name; neither is the ending.

    Args:
        files: what ``find_files`` gives.
        folder: what names are relative to.
        images: folder, relative to ``folder``, that alone holds photographs.
        masks: the same for masks.

    Raises:
        DataError: two masks or photographs share a name, or nothing can be paired.
    """
    photos: dict[str, list[Path]] = defaultdict(list)
    labels: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        if path.suffix.lower() not in SUFFIXES:
            continue
        relative = PurePosixPath(path.relative_to(folder).as_posix())
        if images is not None or masks is not None:
            side = _given_side(relative, images, masks)
            if side is not None:
                (labels if side[0] else photos)[side[1]].append(path)
            continue
        is_label, key = name_of(relative)
        (labels if is_label else photos)[key].append(path)
    if not labels:
        _take_pngs(photos, labels)
    return _joined(photos, labels, folder)


def name_of(path: PurePath) -> tuple[bool, str]:
    """Whether a file's name or folders call it a mask, and its name without the words that say so."""
    is_label, parts = False, []
    for part in (*path.parts[:-1], path.stem):
        match = _END.match(part) or (_START.match(part) if part == path.stem else None)
        while match is not None:
            is_label = is_label or match["label"] is not None
            part = match["rest"]
            match = _END.match(part) if part else None
        parts += [part] if part else []
    return is_label, "/".join(parts)


def _given_side(path: PurePosixPath, images: str | None, masks: str | None) -> tuple[bool, str] | None:
    """(is a mask, shared name) of a file in one of the folders that were named; None for others."""
    for is_label, folder in ((True, masks), (False, images)):
        if folder is not None and PurePosixPath(folder) in path.parents:
            return is_label, name_of(path.relative_to(folder))[1]
    if masks is None or images is None:
        return masks is None, name_of(path)[1]
    return None


def _take_pngs(photos: dict[str, list[Path]], labels: dict[str, list[Path]]) -> None:
    for key, paths in photos.items():
        pngs = [path for path in paths if path.suffix.lower() == ".png"]
        if len(paths) == 2 and len(pngs) == 1:
            labels[key] = pngs
            paths.remove(pngs[0])


def _joined(photos: dict[str, list[Path]], labels: dict[str, list[Path]], folder: Path) -> Pairs:
    if not photos.keys() & labels.keys():  # other sub-folders on both sides
        photos, labels = _by_stem(photos), _by_stem(labels)
    found = Pairs()
    for key in sorted(photos.keys() | labels.keys()):
        for kind, paths in (("images", photos.get(key, [])), ("masks", labels.get(key, []))):
            if len(paths) > 1:
                raise DataError(
                    f"two {kind} share the name {key!r}: {paths[0]}, {paths[1]}",
                    where=folder,
                    fix="Say which folders to use: --images DIR --masks DIR",
                )
        if key in photos and key in labels:
            found.pairs.append((photos[key][0], labels[key][0]))
        elif key in photos:
            found.without_mask += photos[key]
        else:
            found.without_image += labels[key]
    if not found.pairs:
        raise DataError(
            f"no image ({len(found.without_mask)}) and mask ({len(found.without_image)}) have the same name",
            where=folder,
            fix="Put photographs into images/ and masks of the same names into masks/, or give --images and --masks",
        )
    return found


def _by_stem(files: dict[str, list[Path]]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = defaultdict(list)
    for key, paths in files.items():
        found[key.rpartition("/")[2]] += paths
    return found

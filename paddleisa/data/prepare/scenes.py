"""``prepare scenes``: generated streets on disk, in the layout of a data set that one does not own yet.

A note in their folder says how many images there are and which classes, in place of published numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from pydantic import TypeAdapter, ValidationError

from paddleisa.data.prepare.labels import alone_in_root
from paddleisa.data.prepare.scene_layouts import writer_of
from paddleisa.datasets.scenes import Scenes
from paddleisa.errors import DataError, UsageError
from paddleisa.utils.concurrency import on_files
from paddleisa.utils.files import atomic_write

NAME = "generated_by_paddleisa.json"
_BLOCK = 1_000_000  # seeds of the parts of one layout that the data set Scenes has no mode for


@dataclass(frozen=True)
class Marker:
    """What was generated.

    Attributes:
        layout: cityscapes, voc, or a data set's class.
        counts: {mode of the data set: number of images}.
        classes: {mode: class ids that occur}.
        size: (width, height) of all images.
        seed: of the pictures.
    """

    layout: str
    counts: dict[str, int]
    classes: dict[str, list[int]]
    size: tuple[int, int]
    seed: int


class Task(NamedTuple):
    """One picture to draw and write: number ``number`` of ``part``."""

    part: str
    number: int


@alone_in_root(makes_root=True)
def prepare_scenes(
    root: str | Path,
    layout: str,
    num_images: tuple[int, int] = (40, 10),
    size: tuple[int, int] = (512, 256),
    seed: int = 0,
    *,
    workers: int = 2,
    progress: bool = True,
) -> Marker:
    """Write generated scenes in the layout of the *download*, so that ``prepare LAYOUT`` can be rehearsed on them.

    A picture depends on (seed, part, number, size) alone: neither ``workers`` nor ``num_images`` changes it. Pictures
    that are there are drawn again and replaced, unless the folder holds other data.

    Args:
        root: the data set's root: a folder for ``leftImg8bit`` and ``gtFine``, for ``VOC2012``, ...
        layout: cityscapes (labelIds, instanceIds, colours, polygons), voc (VOC2012 and an SBD release of .mat files,
            which has as many further images as train), or the class of any data set that describes its layout.
        num_images: (train, val).
        size: (width, height), pixels.
        seed: of the pictures.
        workers: processes.

    Raises:
        UsageError: the folder holds data that was not generated here. DataError: files that could not be written.
    """
    root, writer = Path(root), writer_of(layout)
    parts = writer.parts(*num_images)
    tasks = [Task(part, index) for part, count in parts.items() for index in range(count)]
    wanted = _marker(layout, tasks, [[]] * len(tasks), size, seed)
    _require_own(root, writer.folders, wanted)
    writer.require()
    _write_marker(root, wanted)  # first: a killed run stays recognisable
    draws, name = partial(draw, root=root, marker=wanted), "{0.part} {0.number}".format
    found = on_files(draws, tasks, workers, what="draw", name=name, progress=progress)
    writer.write_lists(root, parts)
    marker = _marker(layout, tasks, found, size, seed)
    _write_marker(root, marker)
    return marker


def draw(task: Task, root: Path, marker: Marker) -> list[int]:
    """Draw and write one picture; the class ids (as training counts them) in it. Runs in a worker process."""
    width, height = marker.size
    mode: Literal["train", "val"] = "val" if task.part == "val" else "train"
    seed = marker.seed + (_BLOCK if task.part == "aug" else 0)
    sample = Scenes([], mode, task.number + 1, height, width, seed).read(task.number)
    label = writer_of(marker.layout).write_sample(root, task.part, task.number, sample["img"], sample["label"])
    return [int(number) for number in np.unique(label) if number != 255]


def read_marker(root: str | Path) -> Marker | None:
    """The note in ``root``, None where there is none; DataError when it cannot be read."""
    path = Path(root) / NAME
    if not path.is_file():
        return None
    try:
        return TypeAdapter(Marker).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        fix = "Generate the data again"
        raise DataError("the note about generated data is damaged", where=path, fix=fix) from error


def _write_marker(root: Path, marker: Marker) -> None:
    with atomic_write(root / NAME, "w") as stream:
        json.dump({"note": "drawn by `paddleisa prepare scenes`, no photographs", **asdict(marker)}, stream, indent=1)
        stream.write("\n")


def _marker(layout: str, tasks: list[Task], found: list[list[int]], size: tuple[int, int], seed: int) -> Marker:
    """The note of pictures in which these class ids were found."""
    modes: Mapping[str, tuple[str, ...]] = writer_of(layout).modes()
    ids = {
        mode: [classes for task, classes in zip(tasks, found, strict=True) if task.part in parts]
        for mode, parts in modes.items()
    }
    counts = {mode: len(pictures) for mode, pictures in ids.items()}
    return Marker(layout, counts, {m: sorted(set().union(*pictures)) for m, pictures in ids.items()}, size, seed)


def _require_own(root: Path, folders: set[str], wanted: Marker) -> None:
    taken = [name for name in sorted(folders) if (root / name).exists()]
    present = read_marker(root)
    if present is None and not taken:
        return
    if present is None:
        problem = f"the folder holds {', '.join(taken)}, which were not generated here"
    elif (present.layout, present.size, present.seed) != (wanted.layout, wanted.size, wanted.seed):
        problem = "the folder holds generated data of another layout, size or seed"
    elif any(count > wanted.counts.get(mode, 0) for mode, count in present.counts.items()):
        problem = f"the folder holds a larger generated set already ({present.counts})"
    else:
        return
    raise UsageError(problem, where=root, fix="Give a folder of its own, or remove this one")

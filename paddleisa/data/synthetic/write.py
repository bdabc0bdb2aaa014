"""``prepare scenes``: generated streets on disk, in the layout of a data set that one does not own yet."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from paddleisa.data.prepare.manifest import Marker, read_marker, write_marker
from paddleisa.data.prepare.parallel import alone_in_root, on_files
from paddleisa.data.synthetic.any_layout import AnyLayout
from paddleisa.data.synthetic.layout_cityscapes import CityscapesDownload
from paddleisa.data.synthetic.layout_voc import VocDownload
from paddleisa.datasets.scenes import Scenes
from paddleisa.errors import UsageError

_OWN = {"cityscapes": CityscapesDownload(), "voc": VocDownload()}  # with more in them than their classes say
_BLOCK = 1_000_000  # seeds of the parts of one layout that the data set Scenes has no mode for


class Task(NamedTuple):
    """One picture to draw and write: number ``number`` of ``part``."""

    root: str
    layout: str
    part: str
    number: int
    size: tuple[int, int]
    seed: int


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
    wanted = Marker(layout, writer.counts(parts), {}, size, seed)
    _require_own(root, writer.folders, wanted)
    writer.require()
    tasks = [
        Task(str(root), layout, part, index, size, seed) for part, count in parts.items() for index in range(count)
    ]
    write_marker(root, wanted)  # first: a killed run stays recognisable
    found = on_files(
        draw, tasks, workers, what="draw", name=lambda task: f"{task.part} {task.number}", progress=progress
    )
    writer.write_lists(root, parts)
    classes: dict[str, set[int]] = {part: set() for part in parts}
    for task, ids in zip(tasks, found, strict=True):
        classes[task.part].update(ids)
    marker = Marker(layout, writer.counts(parts), writer.classes(classes), size, seed)
    write_marker(root, marker)
    return marker


def writer_of(layout: str) -> AnyLayout:
    """What writes a layout; UsageError, ConfigError where there is no such layout."""
    return _OWN.get(layout) or AnyLayout(layout)


def draw(task: Task) -> list[int]:
    """Draw and write one picture; the class ids (as training counts them) in it. Runs in a worker process."""
    width, height = task.size
    mode: Literal["train", "val"] = "val" if task.part == "val" else "train"
    seed = task.seed + (_BLOCK if task.part == "aug" else 0)
    sample = Scenes([], mode, task.number + 1, height, width, seed).read(task.number)
    label = writer_of(task.layout).write_sample(Path(task.root), task.part, task.number, sample["img"], sample["label"])
    return [int(number) for number in np.unique(label) if number != 255]


def _require_own(root: Path, folders: tuple[str, ...], wanted: Marker) -> None:
    taken = [name for name in folders if (root / name).exists()]
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

"""``prepare own``: images and annotations of any kind made into lists, labels and a config; ``prepare labels``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from paddleisa.data.prepare.labels import make_label
from paddleisa.data.prepare.own.find import BACKGROUND, IGNORED, Annotations, find_files, name_of, pair
from paddleisa.data.prepare.own.masks import masks_in, read_table
from paddleisa.data.prepare.own.recipe import NOTHING, Numbers, choose, config_text, starting_model, this_machine
from paddleisa.data.prepare.own.shapes import shapes_in
from paddleisa.data.prepare.own.split import groups_of, likely_sequences, split
from paddleisa.datasets.image_files import write_lines
from paddleisa.datasets.image_header import open_header
from paddleisa.errors import DataError, UsageError
from paddleisa.utils.files import atomic_write
from paddleisa.utils.process import exclusive

SEPARATOR = "\t"  # names may hold blanks
_BACKGROUNDS = {BACKGROUND, "unlabeled", "unlabelled", "unknown", "void", "none", "other"}
_TABLES = ("labelmap.txt", "classes.txt", "labels.txt")  # of classes, in the folder itself


@dataclass(frozen=True)
class Wishes:
    """What a user may say about the annotations.

    Attributes:
        images: folder, relative to the data, that holds the photographs; None tells by names.
        masks: the same for the masks.
        classes: a table of classes (``masks.read_table``).
        ignore_background: class 0 is no class: its pixels do not count.
        overwrite: replace labels that are there and different.
    """

    images: str | None = None
    masks: str | None = None
    classes: str | Path | None = None
    ignore_background: bool = False
    overwrite: bool = False


@dataclass
class OwnData:
    """What there is now.

    Attributes:
        kind: the form in which the annotations were found.
        names: a name per class.
        palette: (K, 3) uint8.
        rows: (image, label) of each sample.
        pixels: (N, K) pixels of each class in each label.
        sizes: (N, 2) width and height of each image.
        notes: what was decided on the way.
        counts: {train: images, val: images}.
        config: the config that was written.
    """

    kind: str
    names: list[str]
    palette: np.ndarray
    rows: list[tuple[Path, Path]]
    pixels: np.ndarray
    sizes: np.ndarray
    notes: list[str]
    counts: dict[str, int] = field(default_factory=dict)
    config: Path | None = None

    def text(self) -> str:
        """For the terminal."""
        lines = [f"{len(self.rows)} images with {self.kind}; {len(self.names)} classes:"]
        shares, total = self.pixels.sum(0), max(1, self.pixels.sum())
        for number, name in enumerate(self.names):
            colour = bytes(self.palette[number]).hex()
            images = np.count_nonzero(self.pixels[:, number])
            share = f"{100 * shares[number] / total:6.2f} %"
            lines.append(f"  {number:3} {name:20} #{colour} {share} of the pixels, in {images} images")
        return "\n".join(lines + [f"note: {note}" for note in self.notes])


def make_labels(folder: str | Path, target: str | Path, wishes: Wishes, progress: bool = True) -> OwnData:
    """Write a label, a palette PNG of class ids, for every annotated image; nothing else is written or changed.

    Args:
        folder: images with masks of any kind, labelme's JSON files, or COCO's.
        target: folder for the labels.
        wishes: what the user says about them.
        progress: show a bar.

    Raises:
        DataError: nothing that can be read, naming a file. UsageError: a table of classes that does not fit.
    """
    with _alone(Path(target)):
        return _labels(Path(folder), Path(target), wishes, progress, Path(target))


def _alone(target: Path) -> AbstractContextManager:
    return exclusive(target / "prepare", "writing into this folder", "Wait for it to end")


def _labels(folder: Path, target: Path, wishes: Wishes, progress: bool, leave_out: Path) -> OwnData:
    found, left_out = _annotations(folder, leave_out, wishes, progress)
    if wishes.ignore_background:
        found = _without_background(found)
    bar = _bar("convert", progress)
    notes = [*found.notes, *left_out]
    if len(found.classes) < 2:
        notes.append("one class only: there is nothing to learn until a second one is labelled")
    rows, pixels, sizes, palette = [], [], [], found.palette
    for number in bar(range(len(found.images))):
        image, label = found.images[number], found.read(number)
        width, height = open_header(image.read_bytes(), image).size
        if label.shape not in ((height, width), (width, height)):
            problem = f"the annotation is {label.shape[1]}x{label.shape[0]} pixels, its image {width}x{height}"
            raise DataError(problem, where=image, fix="Use the annotation that was made for this image")
        path = target / Path((name_of(_relative(image, folder))[1] or "label") + ".png")
        make_label(path, label, image, palette=palette, overwrite=wishes.overwrite)
        rows.append((image, path))
        pixels.append(np.bincount(label.ravel(), minlength=256)[: len(found.classes)])
        sizes.append(label.shape[::-1])
    if len({path for _, path in rows}) < len(rows):
        raise DataError("two images share a name", where=folder, fix="Give them different names, or use --images DIR")
    return OwnData(found.kind, found.names, palette, rows, np.array(pixels), np.array(sizes), notes)


def prepare_own(
    folder: str | Path,
    target: str | Path | None = None,
    wishes: Wishes | None = None,
    *,
    val_share: float = 0.2,
    group: str | None = None,
    seed: int = 0,
    start: str | None = None,
    progress: bool = True,
    numbers: Numbers = NOTHING,
) -> OwnData:
    """Labels, lists of training and validation, and a config that fine-tunes a shipped model.

    Args:
        folder: as for ``make_labels``.
        target: folder for what is written; None takes ``paddleisa`` in ``folder``.
        wishes: what the user says about the annotations.
        val_share: share of the images for validation, 0 to 1.
        group: pattern whose match in a name says which images must stay on one side (frames of one video).
        seed: of the division.
        start: name of the model to start from; None takes the best that ships.
        progress: show a bar.
        numbers: of the training, where the user chooses them.

    Raises:
        DataError, UsageError: as ``make_labels``, and data that cannot be divided.
    """
    folder = Path(folder)
    target = folder / "paddleisa" if target is None else Path(target)
    entry = starting_model(start)
    if not 0 < val_share < 1:
        raise UsageError(f"{val_share} is no share of the images", where="--val", fix="Give a number such as 0.2")
    with _alone(target):
        done = _labels(folder, target / "labels", wishes or Wishes(), progress, target)
        names = [name_of(_relative(image, folder))[1] for image, _ in done.rows]
        if group is None and (advice := likely_sequences(names)):
            done.notes.append(advice)
        is_val = split(done.pixels > 0, groups_of(names, group), val_share, seed)
        done.notes += _one_sided(done, is_val)
        lists = {}
        for mode, chosen in (("train", ~is_val), ("val", is_val)):
            lists[mode], done.counts[mode] = str(target / f"{mode}.txt"), int(chosen.sum())
            rows = (done.rows[number] for number in np.flatnonzero(chosen))
            write_lines(lists[mode], (SEPARATOR.join(_listed(path, folder) for path in row) for row in rows))
        recipe = choose(done.sizes[~is_val], this_machine(), entry, numbers)
        data = {
            "dataset_root": str(folder),
            "num_classes": len(done.names),
            "class_names": done.names,
            "palette": done.palette.tolist(),
            "separator": SEPARATOR,
        }
        counts = f"{done.counts['train']} images for training, {done.counts['val']} for validation"
        done.config = target / f"{folder.resolve().name}.yml"
        with atomic_write(done.config, "w") as stream:
            stream.write(config_text(recipe, data, lists, f"{folder.resolve().name}: {done.kind}, {counts}."))
        return done


def _annotations(folder: Path, target: Path, wishes: Wishes, progress: bool) -> tuple[Annotations, list[str]]:
    """What is labelled in a folder, and sentences about files that are left out."""
    if target.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise UsageError("the results would lie over the data", where=target, fix="Give --save_dir a folder of its own")
    files = find_files(folder, leave_out=target)
    table = wishes.classes or next((folder / name for name in _TABLES if (folder / name).is_file()), None)
    drawn = None if wishes.masks else shapes_in(files)
    if drawn is not None:
        return drawn, []
    pairs = pair(files, folder, wishes.images, wishes.masks)
    left_out = []
    for what, paths in (("images without a mask", pairs.without_mask), ("masks without an image", pairs.without_image)):
        if paths:
            left_out.append(f"{len(paths)} {what} are left out: {', '.join(map(str, paths[:3]))}")
    bar = _bar("look at masks", progress)
    return masks_in(pairs.pairs, None if table is None else read_table(table), bar), left_out


def _without_background(found: Annotations) -> Annotations:
    if found.classes[0].name.strip("_").lower() not in _BACKGROUNDS:
        problem = f"class 0 is {found.classes[0].name!r}, which is no background"
        raise UsageError(problem, where="--ignore_background", fix="Leave the option out")
    shift = np.arange(256, dtype=np.uint8) - np.uint8(1)  # 0 becomes 255, ignored
    shift[IGNORED] = IGNORED
    notes = [note for note in found.notes if "--ignore_background" not in note]
    notes.append(f"{found.classes[0].name} is ignored, as --ignore_background says")
    return replace(found, classes=found.classes[1:], read=lambda number: shift[found.read(number)], notes=notes)


def _one_sided(done: OwnData, is_val: np.ndarray) -> list[str]:
    """Sentences about classes that only one side has."""
    notes = []
    for number, name in enumerate(done.names):
        has = done.pixels[:, number] > 0
        if has.any() and not (has & ~is_val).any():
            notes.append(f"class {number} ({name}) is in no training image: it cannot be learned")
        elif has.any() and not (has & is_val).any() and name != BACKGROUND:
            notes.append(f"class {number} ({name}) is in no validation image: its score means nothing")
    return notes


def _relative(path: Path, folder: Path) -> Path:
    return path.relative_to(folder) if path.is_relative_to(folder) else Path(path.name)


def _listed(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def _bar(what: str, progress: bool):
    def over(items: Sequence) -> Iterable:
        return tqdm(items, desc=what, unit="image", disable=None if progress else True)

    return over

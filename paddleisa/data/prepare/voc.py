"""``prepare voc``: PASCAL VOC 2012 and the labels that SBD adds to it, as ``PascalVOC`` reads them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from paddleisa.data.prepare.parallel import alone_in_root, on_files
from paddleisa.data.prepare.sbd import find_sbd, read_mat, require_scipy, sbd_names
from paddleisa.data.prepare.unpack import unfinished, unpack
from paddleisa.data.prepare.write_label import Made, make_label
from paddleisa.datasets.image_header import open_header
from paddleisa.datasets.layouts import read_names
from paddleisa.errors import DataError
from paddleisa.utils.files import atomic_write
from paddleisa.visual.palette import bit_colours


class Archive(NamedTuple):
    """A public archive. ``md5`` is the one that torchvision and others check."""

    url: str
    md5: str
    name: str


VOC = Archive(
    "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
    "6cd6e144f989b92b3379bac3b3de84fd",
    "VOCtrainval_11-May-2012.tar",
)
SBD = Archive(
    "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
    "82b4d87ceb2ed10f6038a1cba92111cb",
    "benchmark.tgz",
)
LABELS = "SegmentationClassAug"
_VOC_AGAIN = "Unpack VOCtrainval_11-May-2012.tar into the folder again"


class Task(NamedTuple):
    """One label to make from one .mat, for one image."""

    mat: str
    image: str
    target: str
    overwrite: bool


@dataclass
class Prepared:
    """What there is now: images of each list, and labels made or kept."""

    train: int
    val: int
    aug: int
    made: int = 0
    kept: int = 0

    @property
    def trainaug(self) -> int:
        """Images of mode trainaug: train and aug."""
        return self.train + self.aug


@alone_in_root(makes_root=True)
def prepare_voc(
    root: str | Path,
    sbd: str | Path | None = None,
    archive: str | Path | None = None,
    *,
    overwrite: bool = False,
    offline: bool = False,
    workers: int = 2,
    progress: bool = True,
) -> Prepared:
    """Make ``SegmentationClassAug/*.png`` and ``ImageSets/Segmentation/aug.txt`` in ``root/VOC2012``.

    ``aug.txt`` names the images of SBD that are in neither VOC's train nor its val, sorted. Their labels are palette
    PNGs, whose pixels are the class ids. What is missing is downloaded into ``root`` (2.0 and 1.4 GB).

    Args:
        root: the folder VOCdevkit, which holds VOC2012 or gets it.
        sbd: SBD's unpacked folder, or benchmark.tgz; None looks in ``root``, then downloads.
        archive: VOCtrainval_11-May-2012.tar, if VOC2012 is to be unpacked from it.
        overwrite: replace labels in ``SegmentationClassAug`` that are there and different, instead of stopping.
        offline: download nothing.
        workers: processes.

    Raises:
        DataError: a file that is missing or damaged, or all that could not be converted. DownloadError.
        UsageError: scipy is not installed.
    """
    require_scipy()
    root = Path(root)
    voc = _voc(root, archive, offline, progress)
    source = _sbd(root, sbd, offline, progress)
    lists = voc / "ImageSets" / "Segmentation"
    train, val = (read_names(lists / f"{part}.txt", _VOC_AGAIN) for part in ("train", "val"))
    aug = sorted(sbd_names(source) - {*train, *val})
    tasks = [
        Task(
            str(source / "cls" / f"{name}.mat"),
            str(voc / "JPEGImages" / f"{name}.jpg"),
            str(voc / LABELS / f"{name}.png"),
            overwrite,
        )
        for name in aug
    ]
    done = Counter(on_files(convert, tasks, workers, what="convert", name=lambda task: task.mat, progress=progress))
    with atomic_write(lists / "aug.txt", "w") as stream:
        stream.writelines(f"{name}\n" for name in aug)
    return Prepared(len(train), len(val), len(aug), done["made"], done["kept"])


def convert(task: Task) -> Made:
    """Make one label. Runs in a worker process."""
    mask = read_mat(task.mat)
    try:
        with Path(task.image).open("rb") as stream:
            header = open_header(stream.read(1 << 16), task.image)
    except OSError as error:
        raise DataError("SBD has a label for an image that is not there", where=task.image, fix=_VOC_AGAIN) from error
    if header.size != mask.shape[::-1]:
        (w, h), (width, height) = mask.shape[::-1], header.size
        raise DataError(f"the mask is {w}x{h} pixels, its image {width}x{height}", where=task.mat, fix=_VOC_AGAIN)
    return make_label(Path(task.target), mask, task.mat, palette=full_palette(), overwrite=task.overwrite)


def full_palette() -> np.ndarray:
    """(256, 3): VOC's colours of all 256 numbers, so that the ignored 255 is shown as in VOC's own labels."""
    return bit_colours(256)


def _voc(root: Path, archive: str | Path | None, offline: bool, progress: bool) -> Path:
    folder, given = root / "VOC2012", Path(archive) if archive is not None else root / VOC.name
    whole = (folder / "ImageSets" / "Segmentation" / "train.txt").is_file() and not unfinished(given, root)
    if archive is None and whole:
        return folder
    if archive is None and not given.is_file():
        given = _download(VOC, root, offline)
    unpack(given, root, inner="VOCdevkit", progress=progress)
    return folder


def _sbd(root: Path, sbd: str | Path | None, offline: bool, progress: bool) -> Path:
    if sbd is not None and Path(sbd).is_dir():
        return find_sbd(sbd)
    archive = root / SBD.name if sbd is None else Path(sbd)
    folder = root / "benchmark_RELEASE" / "dataset"
    whole = (folder / "cls").is_dir() and not unfinished(archive, root)
    if sbd is not None or not whole:
        if sbd is None and not archive.is_file():
            archive = _download(SBD, root, offline)
        unpack(archive, root, progress=progress)
    return find_sbd(folder)


def _download(archive: Archive, root: Path, offline: bool) -> Path:
    from paddleisa.zoo.download.download import fetch

    return fetch(archive.url, root, name=archive.name, check=_md5_is(archive.md5), offline=offline)


def _md5_is(wanted: str) -> Callable[[Path], None]:
    """A check for ``fetch``. MD5 is what the authors published: it tells damage, not forgery."""

    def check(path: Path) -> None:
        digest = hashlib.md5(usedforsecurity=False)
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        if digest.hexdigest() != wanted:
            raise DataError(f"its MD5 is {digest.hexdigest()}, not the published {wanted}", where=path)

    return check

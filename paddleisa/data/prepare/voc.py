"""``prepare voc``: PASCAL VOC 2012 and the labels that SBD adds to it, as ``PascalVOC`` reads them.

SBD (Semantic Boundaries Dataset, http://home.bharathh.info/pubs/codes/SBD): ``dataset/cls/NAME.mat`` holds a struct
``GTcls`` whose field ``Segmentation`` is a (H, W) array of VOC's class ids, without the border that VOC ignores.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from paddleisa.data.prepare.labels import Label, Prepared, alone_in_root, make_labels, read_matlab, require_scipy
from paddleisa.data.prepare.unpack import unfinished, unpack
from paddleisa.datasets.image_files import write_lines
from paddleisa.datasets.image_header import open_header
from paddleisa.datasets.layouts import read_names
from paddleisa.errors import DataError
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
_VOC_AGAIN, _SBD_AGAIN = "Unpack VOCtrainval_11-May-2012.tar into the folder again", "Unpack benchmark.tgz again"


@dataclass
class PreparedVOC(Prepared):
    """How many images each list has now, and labels made or kept."""

    train: int = 0
    val: int = 0
    aug: int = 0

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
) -> PreparedVOC:
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
    voc, folder = root / "VOC2012", root / "benchmark_RELEASE" / "dataset"
    lists = voc / "ImageSets" / "Segmentation"
    _unpacked(VOC, archive, root, lists / "train.txt", offline, progress, inner="VOCdevkit")
    if sbd is None or not Path(sbd).is_dir():
        _unpacked(SBD, sbd, root, folder / "cls", offline, progress)
        sbd = folder
    source = find_sbd(sbd)
    train, val = (read_names(lists / f"{part}.txt", _VOC_AGAIN) for part in ("train", "val"))
    listed = {name for part in ("train", "val") for name in read_names(source / f"{part}.txt", _SBD_AGAIN)}
    aug = sorted(listed - {*train, *val})
    read = partial(read_sbd, images=voc / "JPEGImages")
    labels = [Label(str(source / "cls" / f"{name}.mat"), str(voc / LABELS / f"{name}.png"), read) for name in aug]
    done = make_labels(labels, palette=bit_colours(256), overwrite=overwrite, workers=workers, progress=progress)
    write_lines(lists / "aug.txt", aug)
    return PreparedVOC(done.made, done.kept, len(train), len(val), len(aug))


def read_sbd(path: str | Path, images: Path | None = None) -> np.ndarray:
    """(H, W) uint8 class ids 0 to 20 of one ``cls/NAME.mat``, of the size of its image in the folder ``images``."""
    mask = read_matlab(path, "GTcls", "Segmentation")
    if (strange := np.setdiff1d(mask, [*range(21), 255])).size:
        raise DataError(f"the mask holds {strange[0]}, but VOC has the classes 0 to 20", where=path, fix=_SBD_AGAIN)
    if images is not None:
        image = images / f"{Path(path).stem}.jpg"
        try:
            with image.open("rb") as stream:
                (width, height), (h, w) = open_header(stream.read(1 << 16), image).size, mask.shape
        except OSError as error:
            raise DataError("SBD has a label for an image that is not there", where=image, fix=_VOC_AGAIN) from error
        if (w, h) != (width, height):
            raise DataError(f"the mask is {w}x{h} pixels, its image {width}x{height}", where=path, fix=_VOC_AGAIN)
    return mask.astype(np.uint8)


def find_sbd(folder: str | Path) -> Path:
    """The folder with ``cls``, ``train.txt`` and ``val.txt``: ``folder``, its ``dataset``, or that of the archive."""
    folder = Path(folder)
    for candidate in (folder, folder / "dataset", folder / "benchmark_RELEASE" / "dataset"):
        if (candidate / "cls").is_dir():
            return candidate
    raise DataError(
        "there is no folder cls with SBD's .mat files",
        where=folder,
        fix="Give the folder benchmark_RELEASE/dataset of the unpacked archive, or benchmark.tgz itself",
    )


def _unpacked(
    archive: Archive, given: str | Path | None, root: Path, sign: Path, offline: bool, progress: bool, inner: str = ""
) -> None:
    """The archive, ``given`` or of its name in ``root`` or downloaded, in place; nothing where ``sign`` is there."""
    path = root / archive.name if given is None else Path(given)
    if given is not None or not sign.exists() or unfinished(path, root):
        if given is None and not path.is_file():
            from paddleisa.zoo.download.download import fetch

            path = fetch(archive.url, root, name=archive.name, check=_md5_is(archive.md5), offline=offline)
        unpack(path, root, inner=inner, progress=progress)


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

"""``prepare dataset``: archives unpacked, and labels made of the downloaded ones by a data set's own table."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from paddleisa.data.prepare.labels import Label, Prepared, alone_in_root, make_labels, read_matlab, require_scipy
from paddleisa.data.prepare.unpack import unpack_official
from paddleisa.datasets.base import SegmentationData
from paddleisa.datasets.image_files import write_lines
from paddleisa.datasets.images import read_label
from paddleisa.datasets.layouts import Layout, NameLists, read_names
from paddleisa.errors import DataError, UsageError
from paddleisa.registry import DATASETS


@alone_in_root(makes_root=False)
def prepare_by_table(
    root: str | Path, kind: str, *, overwrite: bool = False, workers: int = 2, progress: bool = True
) -> Prepared:
    """Unpack a data set's official archives that lie in ``root``, and make the labels that training reads.

    Downloaded labels stay as they are. A label that is there is compared with what would be made.

    Args:
        root: its ``dataset_root``.
        kind: the data set's class, with ``raw_table`` and ``layout.conversions``.
        overwrite: replace a label that is there and different, instead of stopping at it.
        workers: processes.

    Raises:
        DataError: there is no label to start from; or after all others were done, the files that failed.
        UsageError: the labels are MATLAB files, and scipy is not installed.
    """
    cls, root = _class_of(kind), Path(root)
    if cls.layout is None:
        fix = "Its labels are read as they are: `paddleisa prepare check` looks at them"
        raise UsageError(f"{kind} has nothing to prepare", fix=fix)
    if cls.source.matrix:
        require_scipy()
    unpack_official(root, cls.source.archives, progress)
    _write_lists(cls.layout, root)
    read = partial(read_raw, kind=kind)
    labels = [Label(str(raw), str(label), read) for raw, label in cls.layout.conversions(root)]
    if not labels and cls.raw_table is not None:
        raise DataError(
            "there is no label to start from",
            where=root,
            fix=f"Put {cls.source.images} and {cls.source.labels} there, or unpack them; docs/data.md has the folders",
        )
    return make_labels(labels, overwrite=overwrite, workers=workers, progress=progress)


def read_raw(source: str, kind: str) -> np.ndarray:
    """(H, W) uint8 class ids of a label as it is downloaded, by the table of the data set ``kind``."""
    cls = _class_of(kind)
    raw = read_matlab(source, cls.source.matrix) if cls.source.matrix else read_label(source)
    table = np.arange(256, dtype=np.uint8) if cls.raw_table is None else cls.raw_table
    if int(raw.max(initial=0)) >= len(table):
        raise DataError(f"holds {raw.max()}, which is no label of {kind}", where=source)
    return table[raw]


def _write_lists(layout: Layout, root: Path) -> None:
    """The lists that are made of others, where they are not there: the names that have a downloaded label."""
    if not isinstance(layout, NameLists):
        return
    base = root / layout.base
    for name, official in layout.made_of.items():
        source, target = base / official, base / layout.lists.format(list=name)
        if source.is_file() and not target.is_file():
            names = read_names(source, "Unpack the images again")
            write_lines(target, [n for n in names if (base / str(layout.raw_labels).format(name=n)).is_file()])


def _class_of(kind: str) -> type[SegmentationData]:
    cls = DATASETS.get(kind)
    if not issubclass(cls, SegmentationData):
        raise UsageError(f"{kind} does not describe itself", fix="Derive it from paddleisa.datasets.SegmentationData")
    return cls

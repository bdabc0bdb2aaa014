"""``prepare dataset``: archives unpacked, and labels made of the downloaded ones by a data set's own table."""

from __future__ import annotations

import tarfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from paddleisa.data.prepare.parallel import alone_in_root, on_files
from paddleisa.data.prepare.sbd import require_scipy
from paddleisa.data.prepare.unpack import unfinished, unpack
from paddleisa.data.prepare.write_label import Made, Prepared, make_label
from paddleisa.datasets.base import SegmentationData
from paddleisa.datasets.images import read_label
from paddleisa.datasets.layouts import Layout, NameLists, read_names
from paddleisa.errors import DataError, UsageError
from paddleisa.registry import DATASETS
from paddleisa.utils.files import atomic_write


class Task(NamedTuple):
    """One label to make of ``source``, for the data set ``kind``."""

    kind: str
    source: str
    target: str
    overwrite: bool


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
    for name, folder in cls.source.archives.items():
        archive = root / name
        if archive.is_file() and not _is_unpacked(archive, root / folder):
            unpack(archive, root / folder, progress=progress)
    _write_lists(cls.layout, root)
    tasks = [Task(kind, str(raw), str(label), overwrite) for raw, label in cls.layout.conversions(root)]
    if not tasks and cls.raw_table is not None:
        raise DataError(
            "there is no label to start from",
            where=root,
            fix=f"Put {cls.source.images} and {cls.source.labels} there, or unpack them; docs/data.md has the folders",
        )
    done = Counter(on_files(convert, tasks, workers, what="convert", name=lambda t: t.source, progress=progress))
    return Prepared(done["made"], done["kept"])


def convert(task: Task) -> Made:
    """Make one label. Runs in a worker process."""
    cls = _class_of(task.kind)
    raw = read_matrix(task.source, cls.source.matrix) if cls.source.matrix else read_label(task.source)
    table = np.arange(256, dtype=np.uint8) if cls.raw_table is None else cls.raw_table
    if int(raw.max(initial=0)) >= len(table):
        raise DataError(f"holds {raw.max()}, which is no label of {task.kind}", where=task.source)
    return make_label(Path(task.target), table[raw], task.source, overwrite=task.overwrite)


def read_matrix(path: str | Path, name: str) -> np.ndarray:
    """(H, W) of whole numbers from 0, a variable of a MATLAB file; DataError names the file."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        values = np.asarray(loadmat(str(path), variable_names=[name])[name])
    except KeyError as error:
        raise DataError(f"the MATLAB file holds no {name}", where=path) from error
    except (MatReadError, ValueError, TypeError, OSError, NotImplementedError, EOFError) as error:
        raise DataError(f"the MATLAB file cannot be read ({error})", where=path, fix="Unpack it again") from error
    if values.ndim != 2 or values.dtype.kind not in "uif" or values.size == 0 or values.min() < 0:
        raise DataError(f"{name} holds {values.dtype} values of shape {values.shape}", where=path)
    return values.astype(np.int64)


def _write_lists(layout: Layout, root: Path) -> None:
    """The lists that are made of others, where they are not there: the names that have a downloaded label."""
    if not isinstance(layout, NameLists):
        return
    for name, official in layout.made_of.items():
        source, target = root / layout.base / official, root / layout.base / layout.lists.format(list=name)
        if source.is_file() and not target.is_file():
            names = read_names(source, "Unpack the images again")
            labelled = [n for n in names if (root / layout.base / str(layout.raw_labels).format(name=n)).is_file()]
            _write_names(target, labelled)


def _class_of(kind: str) -> type[SegmentationData]:
    cls = DATASETS.get(kind)
    if not issubclass(cls, SegmentationData):
        raise UsageError(f"{kind} does not describe itself", fix="Derive it from paddleisa.datasets.SegmentationData")
    return cls


def _write_names(path: Path, names: list[str]) -> None:
    with atomic_write(path, "w") as stream:
        stream.writelines(f"{name}\n" for name in names)


def _is_unpacked(archive: Path, folder: Path) -> bool:
    """Whether the first file of an archive lies where it belongs, and no unpacking was interrupted."""
    if unfinished(archive, folder):
        return False
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as content:
            first = next((name for name in content.namelist() if not name.endswith("/") and "/" in name), None)
    else:
        with tarfile.open(archive) as content:
            first = next((member.name for member in content if member.isfile() and "/" in member.name), None)
    return first is not None and (folder / first).is_file()

"""The labels of SBD (Semantic Boundaries Dataset): its folder, its lists and its MATLAB files.

http://home.bharathh.info/pubs/codes/SBD. ``dataset/cls/NAME.mat`` holds a struct ``GTcls`` whose field
``Segmentation`` is a (H, W) uint8 array of VOC's class ids, without the border that VOC ignores.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paddleisa.datasets.layouts import read_names
from paddleisa.errors import DataError, UsageError

LISTS = ("train", "val")
_AGAIN = "Unpack benchmark.tgz again"


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


def sbd_names(folder: Path) -> set[str]:
    """The names in SBD's own lists, train and val together (11,355 in the release)."""
    return {name for part in LISTS for name in read_names(folder / f"{part}.txt", _AGAIN)}


def read_mat(path: str | Path) -> np.ndarray:
    """(H, W) uint8 class ids 0 to 20 of one ``cls/NAME.mat``.

    Raises:
        DataError: missing or damaged file, or one that holds something else; it names the file.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(str(path))
        mask = content["GTcls"][0]["Segmentation"][0]
    except FileNotFoundError as error:
        raise DataError("there is no such file", where=path, fix=_AGAIN) from error
    except KeyError as error:
        raise DataError("the MATLAB file holds no GTcls", where=path, fix="Give SBD's folder cls, not inst") from error
    except (MatReadError, ValueError, TypeError, IndexError, OSError, NotImplementedError, EOFError) as error:
        raise DataError(f"the MATLAB file cannot be read ({error})", where=path, fix=_AGAIN) from error
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.dtype.kind not in "uif" or mask.size == 0:
        raise DataError(f"GTcls holds {mask.dtype} values of shape {mask.shape}", where=path, fix=_AGAIN)
    strange = np.setdiff1d(mask, [*range(21), 255])
    if strange.size:
        raise DataError(f"the mask holds {strange[0]}, but VOC has the classes 0 to 20", where=path, fix=_AGAIN)
    return np.ascontiguousarray(mask.astype(np.uint8))


def require_scipy() -> None:
    """Raise a UsageError with the command to install it when scipy is missing."""
    try:
        import scipy.io  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "reading SBD's MATLAB files needs scipy", fix="Install it with: pip install 'paddleisa[data]'"
        ) from error

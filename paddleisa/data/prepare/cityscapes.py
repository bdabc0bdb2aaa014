"""``prepare cityscapes``: the labels that training reads, ``*_labelTrainIds.png``, from what the download holds."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np

from paddleisa.data.prepare.parallel import alone_in_root, on_files
from paddleisa.data.prepare.unpack import unfinished, unpack
from paddleisa.data.prepare.write_label import Made, Prepared, make_label
from paddleisa.datasets.cityscapes import LABEL_IDS, NUM_IDS, TO_TRAIN_ID, TRAIN_IDS
from paddleisa.datasets.images import read_label
from paddleisa.errors import DataError, UsageError

Source = Literal["auto", "labelIds", "polygons"]
ARCHIVES = {"leftImg8bit_trainvaltest.zip": "leftImg8bit", "gtFine_trainvaltest.zip": "gtFine"}
LABEL_FOLDERS = ("gtFine", "gtCoarse")
POLYGONS = "_polygons.json"
WHERE_TO_GET = (
    "Cityscapes asks for a login: get leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip from "
    "https://www.cityscapes-dataset.com/downloads and put them into this folder, or unpack them there"
)


class Task(NamedTuple):
    """One label to make: from ``source`` (a labelIds PNG or a polygons JSON), to ``target``."""

    source: str
    target: str
    overwrite: bool


@alone_in_root(makes_root=False)
def prepare_cityscapes(
    root: str | Path,
    archives: list[Path] | None = None,
    source: Source = "auto",
    *,
    overwrite: bool = False,
    workers: int = 2,
    progress: bool = True,
) -> Prepared:
    """Make ``*_labelTrainIds.png`` beside every annotation below ``root``.

    From labelIds, the pixels of the official file are renumbered: this is what the official evaluation compares with.
    From polygons, the official package draws them (extra ``data``). Both give what the official script
    ``createTrainIdLabelImgs`` gives, if the labelIds were drawn by the same version of its drawing library. Nothing
    but ``*_labelTrainIds.png`` is ever written. A label that is there is compared with what would be made.

    Args:
        root: folder with, or for, ``leftImg8bit`` and ``gtFine``.
        archives: zips to unpack into it; None takes those of the official names that lie there and are not unpacked.
        source: auto takes labelIds where they are, else polygons.
        overwrite: replace a ``*_labelTrainIds.png`` that is there and different, instead of stopping at it.
        workers: processes.

    Raises:
        DataError: no data; or after all other files were done: the files that failed, each with its reason.
    """
    root = Path(root)
    for archive in _to_unpack(root) if archives is None else archives:
        unpack(archive, root, progress=progress)
    tasks = find_tasks(root, source, overwrite)
    if any(task.source.endswith(POLYGONS) for task in tasks):
        _require_package()
    done = Counter(on_files(convert, tasks, workers, what="convert", name=lambda t: t.source, progress=progress))
    return Prepared(made=done["made"], kept=done["kept"])


def find_tasks(root: Path, source: Source = "auto", overwrite: bool = False) -> list[Task]:
    """All labels that can be made below ``root``, in the order of their names."""
    endings = {"auto": (POLYGONS, LABEL_IDS), "labelIds": (LABEL_IDS,), "polygons": (POLYGONS,)}[source]
    sources: dict[str, str] = {}
    for ending in endings:  # the later one wins
        for folder in LABEL_FOLDERS:
            for path in (root / folder).glob(f"*/*/*{ending}"):
                if not path.name.startswith("."):  # macOS leaves ._NAME beside each file in archives
                    sources[str(path).removesuffix(ending) + TRAIN_IDS] = str(path)
    if not sources:
        wanted = " or ".join(f"gtFine/*/*/*{ending}" for ending in reversed(endings))
        raise DataError(f"there is no annotation {wanted}", where=root, fix=WHERE_TO_GET)
    return [Task(sources[target], target, overwrite) for target in sorted(sources)]


def convert(task: Task) -> Made:
    """Make one label: "made", or "kept" where the right one is there. Runs in a worker process."""
    if task.source.endswith(POLYGONS) and not task.overwrite and _drawn_already(task):
        return "kept"
    return make_label(Path(task.target), train_ids_of(task.source), task.source, overwrite=task.overwrite)


def train_ids_of(source: str | Path) -> np.ndarray:
    """(H, W) uint8 train ids of a ``*_labelIds.png`` or a ``*_polygons.json``; DataError names the file."""
    if str(source).endswith(POLYGONS):
        return _drawn(Path(source))
    ids = read_label(source)
    highest = int(ids.max(initial=0))
    if highest >= NUM_IDS:
        raise DataError(
            f"holds the id {highest}, but label ids are 0 to {NUM_IDS - 1}", where=source, fix="Unpack gtFine again"
        )
    return cv2.LUT(ids, TO_TRAIN_ID)


def _drawn(path: Path) -> np.ndarray:
    from cityscapesscripts.helpers.annotation import Annotation
    from cityscapesscripts.preparation.json2labelImg import createLabelImage

    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            annotation = Annotation()
            annotation.fromJsonFile(str(path))
            return np.array(createLabelImage(annotation, "trainIds"))
    except SystemExit as error:  # how the official code ends at a label that it does not know
        reason = next((line for line in said.getvalue().splitlines() if line.startswith("ERROR")), str(error))
        raise DataError(f"the polygons cannot be drawn ({reason})", where=path, fix="Unpack gtFine again") from error
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(
            f"the polygons cannot be read ({type(error).__name__}: {error})", where=path, fix="Unpack gtFine again"
        ) from error


def _drawn_already(task: Task) -> bool:
    """Whether a whole label is there that is newer than its polygons: drawing takes far longer than looking."""
    target = Path(task.target)
    try:
        if target.stat().st_mtime_ns < Path(task.source).stat().st_mtime_ns:
            return False
        read_label(target)
    except (OSError, DataError):
        return False
    return True


def _to_unpack(root: Path) -> list[Path]:
    """Official zips in ``root`` whose folder is not there yet, or only partly."""
    return [
        root / name
        for name, folder in ARCHIVES.items()
        if (root / name).is_file() and (not (root / folder).is_dir() or unfinished(root / name, root))
    ]


def _require_package() -> None:
    try:
        import cityscapesscripts.preparation.json2labelImg  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "drawing polygons needs the official package cityscapesscripts",
            fix="Install it with: pip install 'paddleisa[data]', or unpack the labelIds PNGs, which need no package",
        ) from error

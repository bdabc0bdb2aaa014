"""``prepare cityscapes``: the labels that training reads, ``*_labelTrainIds.png``, from what the download holds."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from paddleisa.data.prepare.labels import Label, Prepared, alone_in_root, make_labels
from paddleisa.data.prepare.unpack import unpack, unpack_official
from paddleisa.datasets.cityscapes import LABEL_IDS, NUM_IDS, TO_TRAIN_ID, TRAIN_IDS, Cityscapes
from paddleisa.datasets.images import read_label
from paddleisa.errors import DataError, UsageError

Source = Literal["auto", "labelIds", "polygons"]
LABEL_FOLDERS = ("gtFine", "gtCoarse")
POLYGONS = "_polygons.json"
WHERE_TO_GET = (
    "Cityscapes asks for a login: get leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip from "
    "https://www.cityscapes-dataset.com/downloads and put them into this folder, or unpack them there"
)


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
    if archives is None:
        unpack_official(root, Cityscapes.source.archives, progress)
    for archive in archives or ():
        unpack(archive, root, progress=progress)
    labels = find_labels(root, source)
    if any(label.slow for label in labels):
        _require_package()
    return make_labels(labels, overwrite=overwrite, workers=workers, progress=progress)


def find_labels(root: Path, source: Source = "auto") -> list[Label]:
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
    made = ((sources[target], target) for target in sorted(sources))
    return [Label(path, target, train_ids_of, slow=path.endswith(POLYGONS)) for path, target in made]


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


def _require_package() -> None:
    try:
        import cityscapesscripts.preparation.json2labelImg  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "drawing polygons needs the official package cityscapesscripts",
            fix="Install it with: pip install 'paddleisa[data]', or unpack the labelIds PNGs, which need no package",
        ) from error

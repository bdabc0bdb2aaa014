"""Cityscapes: street scenes of 50 cities, 19 classes, 2048 x 1024. https://www.cityscapes-dataset.com"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from paddleisa.datasets.base import Edge, SegmentationData, Transforms, require_folder
from paddleisa.datasets.listing import Row
from paddleisa.errors import DataError
from paddleisa.registry import DATASETS
from paddleisa.visual.palette import cityscapes_palette

IMAGE, LABEL, RAW_LABEL = "_leftImg8bit.png", "_gtFine_labelTrainIds.png", "_gtFine_labelIds.png"


@DATASETS.register
class Cityscapes(SegmentationData):
    """Cityscapes' fine annotations, paired by name, in the order of the names.

    ``dataset_root`` holds ``leftImg8bit/MODE/CITY/NAME_leftImg8bit.png`` and
    ``gtFine/MODE/CITY/NAME_gtFine_labelTrainIds.png``. The download has ``labelIds`` only; ``paddleisa prepare
    cityscapes ROOT`` makes the others from them. The test part has no labels.

    Args:
        transforms: built transforms, in order.
        dataset_root: the folder that holds leftImg8bit and gtFine.
        mode: train (2975 images), val (500) or test (1525).
        edge: accepted for PaddleSeg's configs.
    """

    num_classes = 19
    # fmt: off
    class_names = [
        "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation",
        "terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
    ]
    # fmt: on
    palette = cityscapes_palette()

    def __init__(
        self,
        transforms: Transforms,
        dataset_root: str = "data/cityscapes",
        mode: Literal["train", "val", "test"] = "train",
        edge: Edge = False,
    ):
        root = require_folder(dataset_root, "Download Cityscapes and set dataset_root to the folder with leftImg8bit")
        images = files_by_name(root / "leftImg8bit" / mode, IMAGE)
        if not images:
            raise DataError(f"there are no images CITY/NAME{IMAGE}", where=root / "leftImg8bit" / mode)
        labels = {} if mode == "test" else files_by_name(root / "gtFine" / mode, LABEL)
        if mode != "test":
            _require_pairs(images, labels, root, mode)
        samples: list[Row] = [(images[name], labels.get(name)) for name in sorted(images)]
        super().__init__(transforms, samples, mode)


def files_by_name(folder: Path, ending: str) -> dict[str, str]:
    """{"CITY/NAME": path} of all files ``folder/CITY/NAME + ending``."""
    return {
        f"{path.parent.name}/{path.name.removesuffix(ending)}": str(path)
        for path in folder.glob(f"*/*{ending}")
        if not path.name.startswith(".")  # macOS leaves ._NAME beside each file in archives
    }


def _require_pairs(images: dict[str, str], labels: dict[str, str], root: Path, mode: str) -> None:
    """Raise a DataError that names the images without a label and the labels without an image."""
    where, prepare = root / "gtFine" / mode, f"Run: paddleisa prepare cityscapes {root}"
    without_label = sorted(images.keys() - labels.keys())
    without_image = sorted(labels.keys() - images.keys())
    if not labels and files_by_name(where, RAW_LABEL):
        raise DataError(
            "the labels are labelIds, which hold other numbers than the 19 classes", where=where, fix=prepare
        )
    if without_label:
        raw = files_by_name(where, RAW_LABEL)
        fix = prepare if all(name in raw for name in without_label) else "Unpack gtFine_trainvaltest.zip again"
        raise DataError(f"{_some(without_label)} without a label{LABEL}", where=where, fix=fix)
    if without_image:
        raise DataError(
            f"{_some(without_image, 'label')} without an image{IMAGE}",
            where=where,
            fix="Unpack leftImg8bit_trainvaltest.zip again, or remove the label",
        )


def _some(names: list[str], what: str = "image") -> str:
    plural = "" if len(names) == 1 else "s"
    return f"{len(names)} {what}{plural} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"

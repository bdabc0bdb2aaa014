"""PASCAL VOC 2012, with or without the extra labels of SBD. http://host.robots.ox.ac.uk/pascal/VOC/voc2012"""

from __future__ import annotations

from paddleisa.datasets.base import PublicData
from paddleisa.datasets.layouts import NameLists, Source
from paddleisa.registry import DATASETS
from paddleisa.visual.palette import bit_colours

_LABELS, _ARCHIVE = "SegmentationClass/{name}.png", "VOCtrainval_11-May-2012.tar"


@DATASETS.register
class PascalVOC(PublicData):
    """PASCAL VOC 2012's segmentation part: 21 classes with the background, 255 along the objects' borders ignored.

    ``dataset_root`` holds ``VOC2012/JPEGImages``, ``VOC2012/SegmentationClass`` and
    ``VOC2012/ImageSets/Segmentation``. Mode trainaug adds the images of ``aug.txt`` with labels from
    ``SegmentationClassAug``; ``paddleisa prepare voc ROOT`` makes both from the SBD download.
    """

    num_classes = 21
    # fmt: off
    class_names = [
        "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
        "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
    ]
    # fmt: on
    palette = bit_colours(21)
    counts = {"train": 1464, "val": 1449, "trainval": 2913, "trainaug": 10582}
    layout = NameLists(
        base="VOC2012",
        lists="ImageSets/Segmentation/{list}.txt",
        images="JPEGImages/{name}.jpg",
        parts={
            "train": (("train", _LABELS),),
            "val": (("val", _LABELS),),
            "trainval": (("trainval", _LABELS),),
            "trainaug": (("train", _LABELS), ("aug", "SegmentationClassAug/{name}.png")),
        },
        prepared={"aug": "val"},  # SBD labels some of VOC's validation images
    )
    source = Source(
        root="data/VOCdevkit",
        folder="the folder VOCdevkit that holds VOC2012",
        images=_ARCHIVE,
        labels=_ARCHIVE,
        prepare="paddleisa prepare voc {root}",
        get=("paddleisa prepare voc {root}",),  # downloads it
    )

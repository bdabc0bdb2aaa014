"""Data sets; importing this registers them under PaddleSeg's class names."""

from paddleisa.datasets.ade20k import ADE20K
from paddleisa.datasets.base import Dataset, SegmentationData
from paddleisa.datasets.cityscapes import Cityscapes
from paddleisa.datasets.images import read_image, read_label, write_image, write_label
from paddleisa.datasets.scenes import Scenes
from paddleisa.datasets.voc import PascalVOC

__all__ = [
    "ADE20K",
    "Cityscapes",
    "Dataset",
    "PascalVOC",
    "Scenes",
    "SegmentationData",
    "read_image",
    "read_label",
    "write_image",
    "write_label",
]

"""Data sets; importing this registers them under PaddleSeg's class names."""

from paddleisa.datasets.ade20k import ADE20K
from paddleisa.datasets.base import Dataset, SegmentationData
from paddleisa.datasets.cityscapes import Cityscapes
from paddleisa.datasets.coco_stuff import CocoStuff, CocoStuff10k
from paddleisa.datasets.folders import FolderDataset
from paddleisa.datasets.images import read_image, read_label, write_image, write_label
from paddleisa.datasets.lip import LIP
from paddleisa.datasets.optic_disc import OpticDiscSeg
from paddleisa.datasets.pascal_context import PascalContext, PascalContext59
from paddleisa.datasets.scenes import Scenes
from paddleisa.datasets.voc import PascalVOC

__all__ = [
    "ADE20K",
    "LIP",
    "Cityscapes",
    "CocoStuff",
    "CocoStuff10k",
    "Dataset",
    "FolderDataset",
    "OpticDiscSeg",
    "PascalContext",
    "PascalContext59",
    "PascalVOC",
    "Scenes",
    "SegmentationData",
    "read_image",
    "read_label",
    "write_image",
    "write_label",
]

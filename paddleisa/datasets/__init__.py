"""Data sets; importing this registers them under PaddleSeg's class names."""

from paddleisa.datasets.ade20k import ADE20K
from paddleisa.datasets.base import PublicData, SegmentationData
from paddleisa.datasets.cityscapes import Cityscapes
from paddleisa.datasets.coco_stuff import CocoStuff, CocoStuff10k
from paddleisa.datasets.images import read_image, read_label, write_image, write_label
from paddleisa.datasets.lip import LIP
from paddleisa.datasets.optic_disc import OpticDiscSeg
from paddleisa.datasets.own import Dataset, FolderDataset
from paddleisa.datasets.pascal_context import PascalContext, PascalContext59
from paddleisa.datasets.scenes import Scenes
from paddleisa.datasets.voc import PascalVOC
from paddleisa.registry import DATASETS

for _name in (
    *("SUPERVISELY", "EG1800", "PPHumanSeg14K", "MiniDeepGlobeRoadExtraction"),
    *("DRIVE", "HRF", "STARE", "CHASEDB1", "SegDataset"),
):
    DATASETS.explain(
        _name, "Write type: Dataset with num_classes, and its list files as train_path and val_path: it reads the same"
    )
DATASETS.explain(
    "PSSLDataset", "Its pseudo labels have 1,000 classes, and a label here holds at most 255: leave it out"
)

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
    "PublicData",
    "Scenes",
    "SegmentationData",
    "read_image",
    "read_label",
    "write_image",
    "write_label",
]

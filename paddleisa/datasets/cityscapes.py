"""Cityscapes: street scenes of 50 cities, 19 classes, 2048 x 1024. https://www.cityscapes-dataset.com"""

from __future__ import annotations

from paddleisa.datasets.base import PublicData
from paddleisa.datasets.classes import IGNORED, lookup
from paddleisa.datasets.layouts import PairedFolders, Source
from paddleisa.registry import DATASETS
from paddleisa.visual.palette import from_hex

TRAIN_IDS, LABEL_IDS = "_labelTrainIds.png", "_labelIds.png"  # labels as training reads them, as they are downloaded
NUM_IDS = 34  # label ids 0 to 33 in its files; the license plate's -1 is never drawn
# The label id of each train id 0..18. All other ids are ignored (255) in training and in the official evaluation.
# A test compares them with the official cityscapesscripts.helpers.labels.
ID_OF_TRAIN_ID = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)


TO_TRAIN_ID = lookup({label: train for train, label in enumerate(ID_OF_TRAIN_ID)}, IGNORED)
TO_LABEL_ID = lookup(dict(enumerate(ID_OF_TRAIN_ID)), 0)  # what is no class is "unlabeled"


@DATASETS.register
class Cityscapes(PublicData):
    """Cityscapes' fine annotations, paired by name, in the order of the names.

    ``dataset_root`` holds ``leftImg8bit/MODE/CITY/NAME_leftImg8bit.png`` and
    ``gtFine/MODE/CITY/NAME_gtFine_labelTrainIds.png``. The download has ``labelIds`` only; ``paddleisa prepare
    cityscapes ROOT`` makes the others from them. The test part has no labels.
    """

    num_classes = 19
    # fmt: off
    class_names = [
        "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation",
        "terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
    ]
    # fmt: on
    # cityscapesScripts, helpers/labels.py, the classes with a train id, in its order.
    palette = from_hex(
        "804080 f423e8 464646 66669c be9999 999999 faaa1e dcdc00 6b8e23 98fb98 4682b4 dc143c ff0000 00008e 000046 "
        "003c64 005064 0000e6 770b20"
    )
    counts = {"train": 2975, "val": 500, "test": 1525}
    layout = PairedFolders(
        images="leftImg8bit/{part}/*/*_leftImg8bit.png",
        labels=f"gtFine/{{part}}/*/*_gtFine{TRAIN_IDS}",
        raw_labels=f"gtFine/{{part}}/*/*_gtFine{LABEL_IDS}",
        parts={"train": "train", "val": "val", "test": "test"},
        unlabelled=("test",),
    )
    raw_table = TO_TRAIN_ID
    source = Source(
        root="data/cityscapes",
        folder="the folder that holds leftImg8bit and gtFine",
        images="leftImg8bit_trainvaltest.zip",
        labels="gtFine_trainvaltest.zip",
        prepare="paddleisa prepare cityscapes {root}",
        get=(
            "# Cityscapes needs an account: https://www.cityscapes-dataset.com/register/",
            "pip install cityscapesscripts",
            "mkdir -p {root} && csDownload -d {root} gtFine_trainvaltest.zip leftImg8bit_trainvaltest.zip",
            "paddleisa prepare cityscapes {root}",
        ),
        archives={"leftImg8bit_trainvaltest.zip": ".", "gtFine_trainvaltest.zip": "."},
    )

"""LIP, Look into Person: people cut out of photographs, 19 parts and the background. http://sysu-hcp.net/lip"""

from __future__ import annotations

from paddleisa.datasets.base import PublicData
from paddleisa.datasets.layouts import PairedFolders, Source
from paddleisa.registry import DATASETS
from paddleisa.visual.palette import from_hex


@DATASETS.register
class LIP(PublicData):
    """LIP's 20 classes with the background, images and labels paired by name, in the order of the names.

    ``dataset_root`` holds ``train_images``, ``val_images``, ``train_segmentations`` and ``val_segmentations``. A flip
    must exchange left and right: ``{type: RandomHorizontalFlip, swapped_labels: [[14, 15], [16, 17], [18, 19]]}``.
    """

    num_classes = 20
    # fmt: off
    class_names = [
        "background", "hat", "hair", "glove", "sunglasses", "upper clothes", "dress", "coat", "socks", "pants",
        "jumpsuits", "scarf", "skirt", "face", "left arm", "right arm", "left leg", "right leg", "left shoe",
        "right shoe",
    ]
    # fmt: on
    palette = from_hex(
        "000000 800000 ff0000 005500 aa0033 ff5500 000055 0077dd 555500 005555 553300 345680 008000 0000ff 33aadd "
        "00ffff 55ffaa aaff55 ffff00 ffaa00"
    )
    mirrored_classes = ((14, 15), (16, 17), (18, 19))
    counts = {"train": 30462, "val": 10000}
    layout = PairedFolders(
        images="{part}_images/*.jpg", labels="{part}_segmentations/*.png", parts={"train": "train", "val": "val"}
    )
    source = Source(
        root="data/LIP",
        folder="the folder that holds train_images and train_segmentations",
        images="TrainVal_images.zip",
        labels="TrainVal_parsing_annotations.zip",
        get=(
            "# Its authors share it: TrainVal_images.zip and TrainVal_parsing_annotations.zip, http://sysu-hcp.net/lip",
        ),
    )

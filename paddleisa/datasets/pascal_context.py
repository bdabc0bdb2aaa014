"""PASCAL-Context: every pixel of VOC 2010's photographs, 59 classes and a rest.

https://cs.stanford.edu/~roozbeh/pascal-context
"""

from __future__ import annotations

from paddleisa.datasets.base import PublicData
from paddleisa.datasets.classes import lookup
from paddleisa.datasets.layouts import NameLists, Source
from paddleisa.registry import DATASETS
from paddleisa.visual.palette import bit_colours

# The 59 commonest of the 459 labels by their numbers there, which follow the alphabet; 0 is everything else. Class k
# is the k-th of these numbers, as everybody counts them.
# fmt: off
LABELS = (
    0, 2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98, 104, 105, 113, 115, 144, 158, 159,
    162, 187, 189, 207, 220, 232, 258, 259, 260, 284, 295, 296, 308, 324, 326, 347, 349, 354, 355, 360, 366, 368, 397,
    415, 416, 420, 424, 427, 440, 445, 454, 458,
)
NAMES = [
    "background", "aeroplane", "bag", "bed", "bedclothes", "bench", "bicycle", "bird", "boat", "book", "bottle",
    "building", "bus", "cabinet", "car", "cat", "ceiling", "chair", "cloth", "computer", "cow", "cup", "curtain",
    "dog", "door", "fence", "floor", "flower", "food", "grass", "ground", "horse", "keyboard", "light", "motorbike",
    "mountain", "mouse", "person", "plate", "platform", "pottedplant", "road", "rock", "sheep", "shelves", "sidewalk",
    "sign", "sky", "snow", "sofa", "table", "track", "train", "tree", "truck", "tvmonitor", "wall", "water", "window",
    "wood",
]
# fmt: on


@DATASETS.register
class PascalContext(PublicData):
    """PASCAL-Context with its 60 classes, the background counted, as PaddleSeg has it.

    ``dataset_root`` is the folder VOC2010 with ``JPEGImages``, ``Context/NAME.png`` and
    ``ImageSets/Segmentation/{train,val,trainval}_context.txt``. ``paddleisa prepare dataset PascalContext ROOT`` makes
    labels and lists from the official MATLAB files (``trainval/NAME.mat``) and VOC 2010's own lists.
    """

    num_classes = 60
    class_names = NAMES
    palette = bit_colours(60)
    raw_table = lookup({label: k for k, label in enumerate(LABELS)}, 0, size=512)  # none of the 59: background
    layout = NameLists(
        base=".",
        lists="ImageSets/Segmentation/{list}_context.txt",
        images="JPEGImages/{name}.jpg",
        parts={mode: ((mode, "Context/{name}.png"),) for mode in ("train", "val", "trainval")},
        raw_labels="trainval/{name}.mat",
        made_of={mode: f"ImageSets/Main/{mode}.txt" for mode in ("train", "val", "trainval")},
    )
    source = Source(
        root="data/VOCdevkit/VOC2010",
        folder="the folder VOC2010 that holds JPEGImages",
        images="VOCtrainval_03-May-2010.tar",
        labels="trainval.tar.gz",
        prepare="paddleisa prepare dataset PascalContext {root}",
        get=(
            "curl -L -O http://host.robots.ox.ac.uk/pascal/VOC/voc2010/VOCtrainval_03-May-2010.tar",
            "mkdir -p {parent} && tar -xf VOCtrainval_03-May-2010.tar -C {parent} --strip-components 1",
            "curl -L --output-dir {root} -O https://cs.stanford.edu/~roozbeh/pascal-context/trainval.tar.gz",
            "paddleisa prepare dataset PascalContext {root}",
        ),
        archives={"trainval.tar.gz": "."},
        matrix="LabelMap",
    )


@DATASETS.register
class PascalContext59(PascalContext):
    """PASCAL-Context without its background, which is ignored: the 59 classes of the papers, from the same files."""

    num_classes = 59
    class_names = NAMES[1:]
    palette = bit_colours(60)[1:]
    reduce_zero_label = True

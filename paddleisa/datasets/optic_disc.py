"""OpticDiscSeg: the optic disc in photographs of the retina, PaddleSeg's data set for a first try."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from paddleisa.datasets.base import PublicData
from paddleisa.datasets.layouts import ListFile, Source
from paddleisa.registry import DATASETS

_ARCHIVE = "optic_disc_seg.zip"


@DATASETS.register
class OpticDiscSeg(PublicData):
    """OpticDiscSeg by its lists ``train_list.txt``, ``val_list.txt`` and ``test_list.txt``, 2 classes.

    A line of the last may hold an image alone.
    """

    modes = ("train", "val", "test")
    num_classes = 2
    class_names = ["background", "optic disc"]
    palette = np.array([[0, 0, 0], [128, 0, 0]], np.uint8)
    source = Source(
        root="data/optic_disc_seg",
        folder="the folder optic_disc_seg that holds train_list.txt",
        images=_ARCHIVE,
        labels=_ARCHIVE,
        get=(
            f"curl -LO https://paddleseg.bj.bcebos.com/dataset/{_ARCHIVE}",
            f"mkdir -p {{parent}} && unzip -q {_ARCHIVE} -d {{parent}}",
        ),
    )

    @classmethod
    def layout_for(cls, options: Mapping[str, object]) -> ListFile:
        """The list of the mode, in the root."""
        mode = options["mode"]
        return ListFile(f"{options['dataset_root']}/{mode}_list.txt", labels=mode != "test")

"""OpticDiscSeg: the optic disc in photographs of the retina, PaddleSeg's data set for a first try."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from paddleisa.datasets.base import Edge, SegmentationData, Transforms
from paddleisa.datasets.layouts import ListFile, Source
from paddleisa.registry import DATASETS

_ARCHIVE = "optic_disc_seg.zip"


@DATASETS.register
class OpticDiscSeg(SegmentationData):
    """OpticDiscSeg by its lists ``train_list.txt``, ``val_list.txt`` and ``test_list.txt``, 2 classes.

    Args:
        transforms: built transforms, in order.
        dataset_root: the folder optic_disc_seg, which holds the lists.
        mode: train, val or test; a line of the last may hold an image alone.
        edge: accepted for PaddleSeg's configs.
    """

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

    def __init__(
        self,
        transforms: Transforms,
        dataset_root: str = source.root,
        mode: Literal["train", "val", "test"] = "train",
        edge: Edge = False,
    ):
        samples = self.survey({"dataset_root": dataset_root, "mode": mode}).require()
        super().__init__(transforms, samples, mode)

    @classmethod
    def layout_for(cls, options: Mapping[str, object]) -> ListFile:
        """The list of the mode, in the root."""
        mode = options["mode"]
        return ListFile(f"{options['dataset_root']}/{mode}_list.txt", labels=mode != "test")

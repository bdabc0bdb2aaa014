"""A data set of folders: images and labels of the same names, no list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from paddleisa.datasets.base import SegmentationData, Transforms
from paddleisa.datasets.classes import IGNORED, classes_of
from paddleisa.datasets.layouts import PairedFolders
from paddleisa.registry import DATASETS

Pattern = Annotated[str, Field(pattern=r"\*[^/]*$")]


@DATASETS.register
class FolderDataset(SegmentationData):
    """Images and labels in folders of their own, paired by name, in the order of the names.

    Args:
        transforms: built transforms, in order.
        dataset_root: folder that the patterns are relative to.
        num_classes: number of classes; labels hold 0 to num_classes - 1 and ``ignore_index``.
        mode: which part; it takes the place of ``{part}`` in the patterns.
        images: where the images are, with ``*`` for the name that image and label share.
        labels: where the labels are.
        ignore_index: label value of pixels that do not count.
        class_names: a name per class, for reports; numbers when not given.
        palette: colours for pictures: a data set's name, or an (R, G, B) per class.
        reduce_zero_label: labels count classes from 1 and hold 0 where there is none.
    """

    def __init__(
        self,
        transforms: Transforms,
        dataset_root: str,
        num_classes: Annotated[int, Field(gt=0, le=255)],
        mode: Literal["train", "val", "test"] = "train",
        images: Pattern = "images/{part}/*.jpg",
        labels: Pattern = "labels/{part}/*.png",
        ignore_index: Annotated[int, Field(ge=0, le=255)] = IGNORED,
        class_names: list[str] | None = None,
        palette: str | list[tuple[int, int, int]] | None = None,
        reduce_zero_label: bool = False,
    ):
        options = {k: v for k, v in locals().items() if k not in ("self", "transforms", "__class__")}
        meaning = classes_of(FolderDataset, options)
        self.num_classes, self.class_names, self.palette = num_classes, meaning.names, meaning.palette
        self.ignore_index, self.reduce_zero_label = ignore_index, reduce_zero_label
        super().__init__(transforms, self.survey(options).require(), mode)

    @classmethod
    def layout_for(cls, options: Mapping[str, object]) -> PairedFolders:
        """The folders that the patterns name."""
        mode = str(options["mode"])
        return PairedFolders(str(options["images"]), str(options["labels"]), {mode: mode})

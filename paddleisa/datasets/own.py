"""Data sets that a config describes: the samples of a list file, and those of folders paired by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from paddleisa.datasets.base import Edge, SegmentationData, Transforms
from paddleisa.datasets.classes import IGNORED
from paddleisa.datasets.layouts import ListFile, PairedFolders
from paddleisa.errors import ConfigError
from paddleisa.registry import DATASETS, NoEffect


def _rgb(channels: int) -> int:
    if channels != 3:
        raise ValueError("is always 3: every image is read as RGB, grey ones too. Remove the line")
    return channels


Channels = Annotated[int, AfterValidator(_rgb)]
Pattern = Annotated[str, Field(pattern=r"\*[^/]*$")]
NumClasses = Annotated[int, Field(gt=0, le=255)]
Ignored = Annotated[int, Field(ge=0, le=255)]
Palette = str | list[tuple[int, int, int]] | None


@DATASETS.register
class Dataset(SegmentationData):
    """The data set of a list file: a line ``image label`` per sample (``image_files`` has the details).

    Args:
        transforms: built transforms, in order.
        dataset_root: folder that the names in the list are relative to.
        num_classes: number of classes; labels hold 0 to num_classes - 1 and ``ignore_index``.
        mode: which of the three lists to use.
        train_path: the list for mode train. Relative to the working folder, as in PaddleSeg, or to ``dataset_root``.
        val_path: the list for mode val.
        test_path: the list for mode test, where a line may hold an image without a label.
        separator: what stands between image and label in a line.
        ignore_index: label value of pixels that do not count.
        edge: accepted for PaddleSeg's configs.
        img_channels: accepted for PaddleSeg's configs.
        class_names: a name per class, for reports; numbers when not given.
        palette: colours for pictures: a data set's name (cityscapes, voc, ade20k, camvid, ...) or an (R, G, B) per
            class.
        reduce_zero_label: labels count classes from 1 and hold 0 where there is none.
        shuffle: accepted for PaddleSeg's configs.
    """

    def __init__(
        self,
        transforms: Transforms,
        dataset_root: str,
        num_classes: NumClasses,
        mode: Literal["train", "val", "test"] = "train",
        train_path: str | None = None,
        val_path: str | None = None,
        test_path: str | None = None,
        separator: Annotated[str, Field(min_length=1)] = " ",
        ignore_index: Ignored = IGNORED,
        edge: Edge = False,
        img_channels: Channels = 3,
        class_names: list[str] | None = None,
        palette: Palette = None,
        reduce_zero_label: bool = False,
        shuffle: Annotated[bool, NoEffect("training draws its images in an order of its own, from the seed")] = False,
    ):
        self._open(transforms, locals())

    @classmethod
    def layout_for(cls, options: Mapping[str, object]) -> ListFile:
        """The list of the mode; ConfigError where there is none."""
        mode = str(options["mode"])
        path = options.get(f"{mode}_path")
        if path is None:
            raise ConfigError(f"mode is {mode!r} and there is no {mode}_path", fix=f"Give {mode}_path, the list file")
        return ListFile(str(path), str(options["separator"]), labels=mode != "test")


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
        num_classes: NumClasses,
        mode: Literal["train", "val", "test"] = "train",
        images: Pattern = "images/{part}/*.jpg",
        labels: Pattern = "labels/{part}/*.png",
        ignore_index: Ignored = IGNORED,
        class_names: list[str] | None = None,
        palette: Palette = None,
        reduce_zero_label: bool = False,
    ):
        self._open(transforms, locals())

    @classmethod
    def layout_for(cls, options: Mapping[str, object]) -> PairedFolders:
        """The folders that the patterns name."""
        mode = str(options["mode"])
        return PairedFolders(str(options["images"]), str(options["labels"]), {mode: mode})

"""What every data set is, and the data set given by a list file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
from pydantic import Field

from paddleisa.datasets.images import read_image, read_label
from paddleisa.datasets.listing import Row, read_list, require_files
from paddleisa.errors import ConfigError, DataError
from paddleisa.registry import DATASETS, TRANSFORMS
from paddleisa.transforms import Compose
from paddleisa.visual.palette import palette_for

Transforms = list[Annotated[object, TRANSFORMS]]
Edge = Literal[False]  # PaddleSeg's configs may hold ``edge: False``; no model here has an edge branch
_EVALUATION, _TRAINING = 0, 1  # streams of random numbers that never meet


class SegmentationData:
    """Images with class ids per pixel, by number. Needs no paddle; works with ``paddle.io.DataLoader`` as it is.

    ``data[i]`` is sample i as evaluation wants it: the label keeps its own size, whatever happens to the image.
    ``data[i, position]`` is sample i as training wants it at the position-th place of the run: the label follows the
    image. All randomness comes from (seed, position), so the same position gives the same sample in any process, on
    any machine, before and after an interruption.

    Attributes:
        num_classes: number of classes; a class attribute where the data set fixes it, None where the config gives it.
        class_names: one name per class.
        palette: (num_classes, 3) uint8 RGB.
        samples: (image path, label path or None) in order.
        mode: which part of the data this is.
        ignore_index: label value of pixels that do not count.
        seed: of the random numbers; the training run sets it.
    """

    num_classes: int | None = None
    class_names: list[str]
    palette: np.ndarray
    ignore_index: int = 255
    seed: int = 0

    def __init__(self, transforms: list, samples: list[Row], mode: str):
        self.transforms, self.samples, self.mode = Compose(transforms), samples, mode

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, index: int) -> dict:
        """Sample ``index`` without transforms: ``img`` (H, W, 3) uint8 RGB, ``label`` (H, W) uint8 if there is one.

        Raises:
            DataError: a file is missing or damaged, sizes differ, or a label holds an id that is not a class.
        """
        image_path, label_path = self.samples[index]
        sample = {"img": read_image(image_path), "image_path": image_path, "label_path": label_path}
        if label_path is not None:
            sample["label"] = read_label(label_path)
            self._check(sample)
        return sample

    def __getitem__(self, index: int | tuple[int, int]) -> dict:
        training = isinstance(index, tuple)
        index, position = index if training else (index, index)
        index = range(len(self))[index]  # negative numbers count from the end; IndexError beyond it
        sample = self.read(index)
        stream = [self.seed, _TRAINING, position] if training else [self.seed, _EVALUATION, index]
        sample["rng"] = np.random.default_rng(stream)
        sample["trans_info"] = []
        sample["gt_fields"] = ["label"] if training and "label" in sample else []
        sample = self.transforms(sample)
        del sample["rng"]  # spent; what remains can be sent between processes and put into batches
        return sample

    def _check(self, sample: dict) -> None:
        (h, w), (label_h, label_w) = sample["img"].shape[:2], sample["label"].shape
        if (h, w) != (label_h, label_w):
            fix = "Use the label that was made for this image"
            if (h, w) == (label_w, label_h):
                fix = "The image may carry an EXIF orientation, which is applied: save it upright, without that tag"
            raise DataError(
                f"the label is {label_w}x{label_h} pixels, the image {sample['image_path']} is {w}x{h}",
                where=sample["label_path"],
                fix=fix,
            )
        found = cv2.calcHist([sample["label"]], [0], None, [256], [0, 256]).ravel() > 0  # OpenCV 4 gives a column
        wrong = [int(v) for v in np.flatnonzero(found) if v >= self.num_classes and v != self.ignore_index]
        if wrong:
            raise DataError(
                f"the label holds {_shown(wrong)}, but there are {self.num_classes} classes, 0 to "
                f"{self.num_classes - 1}, and {self.ignore_index} is ignored",
                where=sample["label_path"],
                fix=_label_advice(wrong, self.num_classes),
            )


@DATASETS.register
class Dataset(SegmentationData):
    """The data set of a list file: a line ``image label`` per sample (``listing.read_list`` has the details).

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
        palette: colours for pictures: a name (cityscapes, voc, camvid) or an (R, G, B) per class.
    """

    def __init__(
        self,
        transforms: Transforms,
        dataset_root: str,
        num_classes: Annotated[int, Field(gt=0, le=255)],
        mode: Literal["train", "val", "test"] = "train",
        train_path: str | None = None,
        val_path: str | None = None,
        test_path: str | None = None,
        separator: Annotated[str, Field(min_length=1)] = " ",
        ignore_index: Annotated[int, Field(ge=0, le=255)] = 255,
        edge: Edge = False,
        img_channels: Literal[3] = 3,
        class_names: list[str] | None = None,
        palette: Literal["cityscapes", "voc", "camvid"] | list[tuple[int, int, int]] | None = None,
    ):
        path = {"train": train_path, "val": val_path, "test": test_path}[mode]
        if path is None:
            raise ConfigError(f"mode is {mode!r} and there is no {mode}_path", fix=f"Give {mode}_path, the list file")
        self.num_classes, self.ignore_index = num_classes, ignore_index
        self.class_names = class_names_of(class_names, num_classes)
        self.palette = palette_of(palette, num_classes)
        root = require_folder(dataset_root)
        path = path if Path(path).exists() or not (root / path).exists() else root / path
        samples = read_list(path, root, separator, labels=mode != "test")
        require_files(samples, where=path, fix=f"Names are relative to dataset_root, {dataset_root}")
        super().__init__(transforms, samples, mode)


def require_folder(root: str | Path, fix: str = "Set dataset_root to the folder that holds the data") -> Path:
    """``root`` as a Path; DataError when it is no folder."""
    if not Path(root).is_dir():
        raise DataError("the data set's folder does not exist", where=root, fix=fix)
    return Path(root)


def class_names_of(names: list[str] | None, num_classes: int) -> list[str]:
    """A name per class, numbers where none are given; ConfigError when there are too few or too many."""
    if names is None:
        return [str(number) for number in range(num_classes)]
    if len(names) != num_classes:
        raise ConfigError(
            f"there are {len(names)} class_names for {num_classes} classes", fix="Give one name per class"
        )
    return list(names)


def palette_of(palette: str | list | None, num_classes: int) -> np.ndarray:
    """(num_classes, 3) uint8 of a config's ``palette``; ConfigError when it has another number of colours."""
    if palette is None:
        return palette_for(num_classes)
    colours = palette_for(palette) if isinstance(palette, str) else np.asarray(palette)
    if len(colours) != num_classes or colours.min() < 0 or colours.max() > 255:
        raise ConfigError(
            f"the palette has {len(colours)} colours for {num_classes} classes, or values beyond 0 to 255",
            fix="Give one (R, G, B) of 0 to 255 per class",
        )
    return colours.astype(np.uint8)


def _shown(values: list[int]) -> str:
    first = ", ".join(map(str, values[:5]))
    return f"{'value' if len(values) == 1 else 'values'} {first}" + (", ..." if len(values) > 5 else "")


def _label_advice(wrong: list[int], num_classes: int) -> str:
    if wrong == [255]:
        return "255 usually marks pixels to ignore: set ignore_index: 255"
    if wrong == [num_classes]:
        return f"If classes are counted from 1, subtract 1 from the labels; otherwise num_classes is {num_classes + 1}"
    return "Map the labels to class ids (0, 1, 2, ...), or correct num_classes or ignore_index"

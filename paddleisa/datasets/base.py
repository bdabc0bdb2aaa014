"""What every data set is, and what those are that the package knows."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import cv2
import numpy as np

from paddleisa.datasets.classes import IGNORED, Classes, classes_of
from paddleisa.datasets.image_header import TURNS
from paddleisa.datasets.images import decode_turned, read_bytes, read_label
from paddleisa.datasets.inventory import Inventory, Row
from paddleisa.datasets.layouts import Layout, Source
from paddleisa.errors import DataError
from paddleisa.registry import TRANSFORMS
from paddleisa.transforms import Compose

Transforms = list[Annotated[object, TRANSFORMS]]
Edge = Literal[False]  # PaddleSeg's configs may hold ``edge: False``; no model here has an edge branch

_EVALUATION, _TRAINING = 0, 1  # streams of random numbers that never meet


class SegmentationData:
    """Images with class ids per pixel, by number. Needs no paddle; works with ``paddle.io.DataLoader`` as it is.

    ``data[i]`` is sample i as evaluation wants it: the label keeps its own size, whatever happens to the image.
    ``data[i, position]`` is sample i as training wants it at the position-th place of the run: the label follows the
    image. All randomness comes from (seed, position), so the same position gives the same sample in any process, on
    any machine, before and after an interruption.

    A data set describes itself in class attributes: ``layout``, ``source`` and ``counts`` say where its files are,
    where they come from and how many there should be; ``class_names``, ``palette``, ``ignore_index`` and
    ``reduce_zero_label`` what its labels mean. The full check, preparation hints, pictures and fingerprints read them.

    Attributes:
        num_classes: number of classes; a class attribute where the data set fixes it, None where the config gives it.
        class_names: one name per class.
        palette: (num_classes, 3) uint8 RGB.
        ignore_index: label value of pixels that do not count.
        reduce_zero_label: files count classes from 1 and hold 0 where there is none; samples hold 0 and ignore_index.
        layout: how its files lie below ``dataset_root``; None for data that no file holds.
        source: where it comes from.
        counts: {mode: published number of images}.
        raw_table: uint8, the number in a label of each number in the label that it was made from
            (``layout.raw_labels``), at least 256 of them; None where labels are read as they are downloaded.
        mirrored_classes: pairs of classes that a mirror turns into each other, such as left and right arm.
        samples: (image path, label path or None) in order.
        mode: which part of the data this is.
        seed: of the random numbers; the training run sets it.
    """

    num_classes: int = None  # type: ignore[assignment]  # of a class; every instance has it
    class_names: list[str]
    palette: np.ndarray
    ignore_index: int = IGNORED
    reduce_zero_label: bool = False
    layout: ClassVar[Layout | None] = None
    source: ClassVar[Source] = Source()
    counts: ClassVar[Mapping[str, int]] = {}
    raw_table: ClassVar[np.ndarray | None] = None
    mirrored_classes: ClassVar[tuple[tuple[int, int], ...]] = ()
    seed: int = 0

    def __init__(self, transforms: list, samples: list[Row], mode: str):
        self.transforms, self.samples, self.mode = Compose(transforms), samples, mode

    @classmethod
    def layout_for(cls, options: Mapping[str, object]) -> Layout | None:
        """How the files of a data set with these options lie; None where only the built object knows.

        Args:
            options: the constructor's, defaults written out.

        Raises:
            ConfigError: the options leave out where the files are.
        """
        return cls.layout

    @classmethod
    def survey(cls, options: Mapping[str, object]) -> Inventory:
        """The samples of a data set with these options, and what is wrong with their names; see ``layout_for``."""
        layout = cls.layout_for(options)
        if layout is None:
            raise TypeError(f"{cls.__name__} has no layout: its files are not known before it is built")
        return layout.survey(Path(str(options["dataset_root"])), str(options["mode"]), cls.source)

    def _open(self, transforms: list, options: Mapping[str, object]) -> None:
        """The rest of a constructor whose options say what the labels mean."""
        given = classes_of(type(self), options)
        self.num_classes, self.class_names, self.palette = len(given), given.names, given.palette
        self.ignore_index, self.reduce_zero_label = given.ignore_index, given.reduce_zero_label
        SegmentationData.__init__(self, transforms, self.survey(options).require(), str(options["mode"]))

    @cached_property
    def meaning(self) -> Classes:
        """What the numbers in its labels mean."""
        return Classes(self.class_names, self.palette, self.ignore_index, self.reduce_zero_label)

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, index: int) -> dict:
        """Sample ``index`` without transforms: ``img`` (H, W, 3) uint8 RGB, ``label`` (H, W) uint8 if there is one.

        Raises:
            DataError: a file is missing or damaged, sizes differ, or a label holds an id that is not a class.
        """
        image_path, label_path = self.samples[index]
        img, turned = decode_turned(read_bytes(image_path), image_path)
        sample: dict[str, Any] = {"img": img, "image_path": image_path, "label_path": label_path}
        if label_path is not None:
            _require_certain(sample, turned)
            sample["label"] = read_label(label_path)
            self._check(sample)
            if self.reduce_zero_label:
                sample["label"] = cv2.LUT(sample["label"], self.meaning.table())
        return sample

    def __getitem__(self, index: int | tuple[int, int]) -> dict:
        training = isinstance(index, tuple)
        number, position = index if isinstance(index, tuple) else (index, index)
        number = range(len(self))[number]  # negative numbers count from the end; IndexError beyond it
        sample = self.read(number)
        stream = [self.seed, _TRAINING, position] if training else [self.seed, _EVALUATION, number]
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
        if wrong := self.meaning.wrong(set(np.flatnonzero(found).tolist())):
            raise DataError(
                self.meaning.complaint(wrong),
                where=sample["label_path"],
                fix=_label_advice(wrong, self.meaning),
            )


class PublicData(SegmentationData):
    """A data set that is declared: its class holds facts only, and its constructor's root and modes are among them.

    Args:
        transforms: built transforms, in order.
        dataset_root: the folder that holds the data.
        mode: which part of it.
        edge: accepted for PaddleSeg's configs.

    Attributes:
        modes: its parts, the first one the default; () takes those of ``layout``.
    """

    modes: ClassVar[tuple[str, ...]] = ()
    __signature__: ClassVar[inspect.Signature | None]

    def __init__(
        self, transforms: Transforms, dataset_root: str | None = None, mode: str = "train", edge: Edge = False
    ):
        root = self.source.root if dataset_root is None else dataset_root
        super().__init__(transforms, self.survey({"dataset_root": root, "mode": mode}).require(), mode)

    def __init_subclass__(cls) -> None:
        """Write down what configs are checked against and ``paddleisa components`` tells: this root, these modes."""
        super().__init_subclass__()
        cls.__signature__ = None
        modes = cls.modes or tuple(getattr(cls.layout, "parts", ()))
        if modes and cls.__init__ is PublicData.__init__:
            takes = inspect.signature(PublicData.__init__)
            options = {name: option for name, option in takes.parameters.items() if name != "self"}
            options["dataset_root"] = options["dataset_root"].replace(annotation=str, default=cls.source.root)
            options["mode"] = options["mode"].replace(annotation=Literal[modes], default=modes[0])
            cls.__signature__ = takes.replace(parameters=list(options.values()))
            counted = ", ".join(f"{mode} ({cls.counts[mode]} images)" if mode in cls.counts else mode for mode in modes)
            text = f"Args:\n    dataset_root: {cls.source.folder}.\n    mode: {counted}."
            cls.__doc__ = f"{inspect.cleandoc(cls.__doc__ or '')}\n\n{text}"


def _require_certain(sample: dict, turned: int) -> None:
    """DataError for an image that was turned upright where the label's size does not tell whether it follows."""
    h, w = sample["img"].shape[:2]
    if turned in (2, 3, 4) or (turned != 1 and h == w):
        raise DataError(
            f"the image is {TURNS[turned]} by its EXIF tag; whether the label {sample['label_path']} follows that tag, "
            "its size does not tell",
            where=sample["image_path"],
            fix="Save the image upright, without the tag, and look whether the label fits it",
        )


def _label_advice(wrong: list[int], classes: Classes) -> str:
    if classes.reduce_zero_label:
        return "Unpack the data set again: its own labels hold nothing else"
    if wrong == [IGNORED]:
        return "255 usually marks pixels to ignore: set ignore_index: 255"
    if wrong == [len(classes)]:
        return (
            f"If 0 is a class of its own (a background counts as one), num_classes is {len(classes) + 1}; if classes "
            "are counted from 1, set reduce_zero_label: true"
        )
    return "Map the labels to class ids (0, 1, 2, ...), or correct num_classes or ignore_index"

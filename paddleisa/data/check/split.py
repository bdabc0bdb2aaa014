"""One of a config's two data sets, as far as its lists and folders tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from paddleisa.config import Config
from paddleisa.data.check.stats import ImageStats, LabelStats, SampleStats
from paddleisa.data.prepare.scenes import read_marker
from paddleisa.datasets.base import SegmentationData
from paddleisa.datasets.classes import Classes, classes_of
from paddleisa.datasets.inventory import Inventory
from paddleisa.errors import ConfigError, DataError
from paddleisa.registry import DATASETS

Which = Literal["train", "val"]
Reader = Callable[[int], dict]


@dataclass
class Split(Inventory):
    """A data set of a config.

    Attributes:
        which: train or val.
        kind: the data set's class.
        mode: its mode.
        root: its folder.
        classes: what its labels mean.
        expected: number of images that there should be, None where nobody has published one.
        by: who says so: "published", or "generated".
        expected_classes: classes that should occur; None means all.
        reader: for data that no file holds.
        table: how its labels are made of downloaded ones.
        prepare: advice to make them again.
        stats: what is known of the files of those rows that were looked at.
    """

    which: Which = "train"
    kind: str = ""
    mode: str = ""
    root: Path = Path()
    classes: Classes = field(default_factory=lambda: Classes([], np.zeros((0, 3), np.uint8)))
    expected: int | None = None
    by: str = "published"
    expected_classes: list[int] | None = None
    reader: Reader | None = None
    table: np.ndarray | None = None
    prepare: str = ""
    stats: dict[int, SampleStats] = field(default_factory=dict)

    @property
    def images(self) -> dict[int, ImageStats]:
        """The images that can be read, by row."""
        return {number: sample.image for number, sample in self.stats.items() if sample.image.trouble is None}

    @property
    def labels(self) -> dict[int, LabelStats]:
        """The labels that can be read, by row."""
        return {n: sample.label for n, sample in self.stats.items() if sample.label and sample.label.trouble is None}

    @property
    def counts(self) -> list[int]:
        """Pixels of each class over all labels that can be read."""
        table, total = self.classes.table(), [0] * 256
        for label in self.labels.values():
            for value, pixels in label.counts.items():
                total[table[value]] += pixels
        total[self.classes.ignore_index] = 0
        return total[: len(self.classes)]

    def summary(self) -> str:
        """One line: mode, number of images, sizes, classes."""
        expected = "" if self.expected is None else f" ({self.by}: {self.expected})"
        sizes = sorted({image.size for image in self.images.values()})
        size = ", ".join(f"{w}x{h}" for w, h in sizes[:3]) + (", ..." if len(sizes) > 3 else "")
        seen, total = sum(count > 0 for count in self.counts), len(self.classes)
        looked = "" if len(self.stats) == len(self.rows) else f", {len(self.stats)} looked at"
        return (
            f"{self.which}: {self.kind} {self.mode}, {len(self.rows)} images{expected}{looked}; "
            f"{size or 'no size'}; {seen or total} of {total} classes"
        )

    def present(self) -> list[int]:
        """Numbers of the rows whose files are all there."""
        return [number for number in range(len(self.rows)) if number not in self.absent]


def take_split(config: Config, which: Which) -> Split:
    """The samples of ``which`` and what is wrong with them, from lists and folders alone."""
    from paddleisa.config import check

    values = check(data_only(config), defaults=True)[f"{which}_dataset"]
    cls = DATASETS.get(values["type"])
    split = Split(which=which, kind=values["type"], mode=str(values.get("mode", "")))
    split.root = Path(str(values.get("dataset_root", values["type"])))
    try:
        layout = cls.layout_for(values) if issubclass(cls, SegmentationData) else None
        if layout is None or not issubclass(cls, SegmentationData):
            return _built(config, split)
        found = vars(layout.survey(split.root, split.mode, cls.source))
        advice = cls.source.make_labels(split.root)
        split = replace(split, **found, classes=classes_of(cls, values), table=cls.raw_table, prepare=advice)
    except ConfigError as error:
        split.add("list_missing", split.root, error.problem, error.fix or "Correct the config")
        return split
    split.expected, marker = cls.counts.get(split.mode), read_marker(split.root)
    if marker is not None:  # generated data says of itself what was published of other data
        split.expected, split.by = marker.counts.get(split.mode), "generated"
        split.expected_classes = marker.classes.get(split.mode)
    return split


def data_only(config: Config) -> Config:
    """The data sets and plug-ins of a config. The rest would import paddle, which a check of data does not need."""
    keys = ("plugins", "train_dataset", "val_dataset")
    values = {key: node for key in keys if (node := config.tree.child(key)) is not None}
    return Config(replace(config.tree, value=values), config.name, config.path)


def _built(config: Config, split: Split) -> Split:
    """A data set that only itself knows what it consists of."""
    from paddleisa.config import build_part, check

    try:
        data = build_part(check(data_only(config)), f"{split.which}_dataset", DATASETS)
    except DataError as error:
        split.add("data_set", error.where or split.kind, error.problem, error.fix or "Correct the data set")
        return split
    split.rows = list(getattr(data, "samples", [(f"sample {number}", None) for number in range(len(data))]))
    names = list(getattr(data, "class_names", map(str, range(data.num_classes))))
    split.classes = Classes(names, data.palette, data.ignore_index)
    if split.rows and not Path(split.rows[0][0]).exists():  # drawn when asked for
        split.reader = data.read
    return split

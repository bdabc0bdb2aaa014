"""What a config's data set should consist of, found without giving up at the first thing that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from paddleisa.config import Config
from paddleisa.data.check.findings import Finding, Level
from paddleisa.data.check.missing_files import missing
from paddleisa.datasets import Cityscapes, Dataset, PascalVOC
from paddleisa.datasets.base import SegmentationData
from paddleisa.datasets.listing import Row
from paddleisa.errors import DataError
from paddleisa.registry import DATASETS

Which = Literal["train", "val"]
# Attributes that a generated data set's reader has and files do not: read by number instead of by path.
Reader = Callable[[int], dict]


@dataclass
class Split:
    """One of a config's two data sets, as far as it can be told.

    Attributes:
        which: train or val.
        kind: the data set's class.
        mode: its mode.
        root: its folder.
        rows: (image, label or None) of every sample, existing or not.
        absent: numbers of rows whose files are not all there; their findings exist already.
        findings: what is wrong so far.
        expected: number of images that there should be, None where nobody has published one.
        by: who says so: "published", or "generated".
        expected_classes: classes that should occur; None means all.
        reader: for data that no file holds.
    """

    which: Which
    kind: str
    mode: str
    root: Path
    num_classes: int
    ignore_index: int
    class_names: list[str]
    palette: np.ndarray
    rows: list[Row] = field(default_factory=list)
    absent: set[int] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    expected: int | None = None
    by: str = "published"
    expected_classes: list[int] | None = None
    reader: Reader | None = None

    def add(
        self, kind: str, file: object, problem: str, fix: str, row: int | None = None, level: Level = "error"
    ) -> None:
        """Note a finding."""
        self.findings.append(Finding(kind, level, self.which, str(file), problem, fix, row))

    def add_missing(self, fix: str) -> None:
        """Note every row's file that is not there; ``fix`` is the advice where the reason gives none."""
        wanted = [(number, row) for number, row in enumerate(self.rows) if number not in self.absent]
        gone = missing(path for _, row in wanted for path in row if path is not None)
        for number, row in wanted:
            for path, kind in zip(row, ("missing_image", "missing_label"), strict=True):
                if path is not None and path in gone:
                    why = gone[path]
                    self.absent.add(number)
                    self.add(kind if why.kind == "missing" else why.kind, path, why.problem, why.fix or fix, number)


def take_inventory(config: Config, which: Which) -> Split:
    """The rows of ``which`` and what is wrong with them, from lists and folders alone.

    Args:
        config: checked (``paddleisa.config.check``).
    """
    from paddleisa.config import check
    from paddleisa.data.check import inventory_cityscapes, inventory_list, inventory_voc

    values = check(data_only(config), defaults=True)[f"{which}_dataset"]
    cls = DATASETS.get(values["type"])
    takers = {Cityscapes: inventory_cityscapes.take, PascalVOC: inventory_voc.take, Dataset: inventory_list.take}
    if cls in takers:
        return takers[cls](values, which)
    return _built(config, which, values)


def new_split(which: Which, values: dict, cls: type[SegmentationData], root: Path) -> Split:
    """A split of a class that fixes its own classes and colours."""
    return Split(
        which,
        cls.__name__,
        values.get("mode", ""),
        root,
        cls.num_classes,
        cls.ignore_index,
        list(cls.class_names),
        cls.palette,
    )


def data_only(config: Config) -> Config:
    """The data sets and plug-ins of a config. The rest would import paddle, which a check of data does not need."""
    from dataclasses import replace

    keys = ("plugins", "train_dataset", "val_dataset")
    values = {key: config.tree.value[key] for key in keys if key in config.tree.value}
    return Config(replace(config.tree, value=values), config.name, config.path)


def _built(config: Config, which: Which, values: dict) -> Split:
    """A data set of another class: it says itself what it consists of."""
    from paddleisa.config import build_part, check

    try:
        data = build_part(check(data_only(config)), f"{which}_dataset", DATASETS)
    except DataError as error:
        split = Split(which, values["type"], values.get("mode", ""), Path(), 0, 255, [], np.zeros((0, 3), np.uint8))
        split.add("data_set", error.where or values["type"], error.problem, error.fix or "Correct the data set")
        return split
    rows = list(getattr(data, "samples", [(f"sample {number}", None) for number in range(len(data))]))
    root = Path(str(values.get("dataset_root", values["type"])))
    names = list(getattr(data, "class_names", map(str, range(data.num_classes))))
    split = Split(
        which,
        values["type"],
        values.get("mode", ""),
        root,
        data.num_classes,
        data.ignore_index,
        names,
        data.palette,
        rows,
    )
    if rows and not Path(rows[0][0]).exists():  # drawn when asked for
        split.reader = data.read
    return split

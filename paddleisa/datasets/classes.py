"""What the numbers in a data set's labels mean: names, colours, what is ignored; and every palette by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from paddleisa.errors import ConfigError, one_of
from paddleisa.registry import DATASETS
from paddleisa.visual.palette import PALETTES, generic_palette

IGNORED = 255


def lookup(numbers: Mapping[int, int], rest: int, size: int = 256) -> np.ndarray:
    """(size,) uint8: what each number becomes, those of ``numbers`` what they say, all others ``rest``."""
    table = np.full(size, rest, np.uint8)
    table[list(numbers)] = list(numbers.values())
    return table


@dataclass(frozen=True)
class Classes:
    """What the numbers in a data set's labels mean.

    Attributes:
        names: one per class.
        palette: (number of classes, 3) uint8 RGB.
        ignore_index: class id of pixels that do not count.
        reduce_zero_label: files count classes from 1 and hold 0 where there is none.
    """

    names: list[str]
    palette: np.ndarray
    ignore_index: int = IGNORED
    reduce_zero_label: bool = False

    def __len__(self) -> int:
        return len(self.names)

    def table(self) -> np.ndarray:
        """(256,) uint8: the class id of each number in a file. What is no class keeps a number that is none."""
        table = np.arange(256, dtype=np.uint8)
        if self.reduce_zero_label:
            table[1:] -= 1
            table[[0, self.ignore_index, IGNORED]] = self.ignore_index
        return table

    def wrong(self, stored: set[int]) -> list[int]:
        """Those numbers of a file that are neither a class nor ignored, sorted."""
        table = self.table()
        return sorted(v for v in stored if table[v] >= len(self) and table[v] != self.ignore_index)

    def complaint(self, wrong: list[int]) -> str:
        """That a label holds numbers that mean nothing: ``the label holds values 20, 21, but there are ...``."""
        shown = ", ".join(map(str, wrong[:6])) + (", ..." if len(wrong) > 6 else "")
        return f"the label holds {'value' if len(wrong) == 1 else 'values'} {shown}, but there are {self.describe()}"

    def describe(self) -> str:
        """What a file may hold: ``19 classes, 0 to 18, and 255 is ignored``."""
        first = int(self.reduce_zero_label)
        ignored = f"0 and {self.ignore_index} are" if first else f"{self.ignore_index} is"
        return f"{len(self)} classes, {first} to {len(self) - 1 + first}, and {ignored} ignored"


def classes_of(cls: type, options: Mapping[str, object], num_classes: int | None = None) -> Classes:
    """What the labels of a data set mean; no data need exist.

    Args:
        cls: the data set's class; of another kind than ``SegmentationData`` too.
        options: its constructor's, as far as they are given.
        num_classes: where neither the options nor the class say it.

    Raises:
        ConfigError: as many names or colours as there are no classes.
    """

    def given(name: str, default: object = None) -> Any:
        value = options.get(name)
        return getattr(cls, name, default) if value is None else value

    number = int(given("num_classes") or num_classes or 0)
    names, colours = class_names_of(given("class_names"), number), palette_of(given("palette"), number)
    return Classes(names, colours, given("ignore_index", IGNORED), given("reduce_zero_label", False))


def class_names_of(names: list[str] | None, num_classes: int) -> list[str]:
    """A name per class, numbers where none are given; ConfigError when there are too few or too many."""
    if names is None:
        return [str(number) for number in range(num_classes)]
    if len(names) != num_classes:
        raise ConfigError(
            f"there are {len(names)} class_names for {num_classes} classes", fix="Give one name per class"
        )
    return [str(name) for name in names]


def named_palettes() -> dict[str, np.ndarray]:
    """{name: (K, 3) uint8}: of each data set with colours of its own, by its name in small letters, and a few more."""
    own = {name.lower(): DATASETS.get(name).__dict__.get("palette") for name in DATASETS}
    palettes = {**PALETTES, **{name: colours for name, colours in own.items() if isinstance(colours, np.ndarray)}}
    return {**palettes, "voc": palettes["pascalvoc"]}


def palette_of(palette: str | list | np.ndarray | None, num_classes: int) -> np.ndarray:
    """(num_classes, 3) uint8 of a config's ``palette``; ConfigError when it has another number of colours."""
    if palette is None:
        return generic_palette(num_classes)
    if isinstance(palette, str):
        palettes = named_palettes()
        if palette not in palettes:
            raise ConfigError(f"there is no palette {palette!r}", fix=one_of(palette, palettes))
        palette = palettes[palette]
    colours = np.asarray(palette)
    if colours.shape != (num_classes, 3) or colours.min() < 0 or colours.max() > 255:
        raise ConfigError(
            f"the palette has {len(colours)} colours for {num_classes} classes, or values beyond 0 to 255",
            fix="Give one (R, G, B) of 0 to 255 per class",
        )
    return colours.astype(np.uint8)

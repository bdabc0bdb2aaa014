"""What somebody has labelled, whatever the file format: classes with colours, and a mask of class ids per image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from paddleisa.visual.palette import generic_palette

IGNORED = 255
BACKGROUND = "background"
Colour = tuple[int, int, int]


class Named(NamedTuple):
    """A class as it was found: its name, and its colour where it has one."""

    name: str
    colour: Colour | None = None


@dataclass
class Annotations:
    """Labelled images.

    Attributes:
        kind: the form in which they were found, for people.
        classes: in the order of their ids.
        images: the photographs.
        read: gives the (H, W) uint8 class ids of the image of a number, ``IGNORED`` where nothing counts.
        notes: what was decided on the way, a sentence each.
    """

    kind: str
    classes: list[Named]
    images: list[Path]
    read: Callable[[int], np.ndarray]
    notes: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """A name per class."""
        return [item.name for item in self.classes]

    @property
    def palette(self) -> np.ndarray:
        """(number of classes, 3) uint8: the colours found, others where a class has none."""
        others = iter(generic_palette(255).tolist())
        taken = {item.colour for item in self.classes}
        colours = []
        for number, item in enumerate(self.classes):
            if item.colour is not None:
                colours.append(item.colour)
            elif number == 0 and item.name == BACKGROUND:
                colours.append((0, 0, 0))
            else:
                colours.append(next(colour for colour in map(tuple, others) if colour not in taken))
        return np.array(colours, np.uint8)

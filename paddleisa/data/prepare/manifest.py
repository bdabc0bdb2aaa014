"""The note that generated data carries: how many images it has and which classes, in place of published numbers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from paddleisa.errors import DataError
from paddleisa.utils.files import atomic_write

NAME = "generated_by_paddleisa.json"


@dataclass(frozen=True)
class Marker:
    """What was generated.

    Attributes:
        layout: cityscapes or voc.
        counts: {mode of the data set: number of images}.
        classes: {mode: class ids that occur}.
        size: (width, height) of all images.
        seed: of the pictures.
    """

    layout: str
    counts: dict[str, int]
    classes: dict[str, list[int]]
    size: tuple[int, int]
    seed: int


def write_marker(root: Path, marker: Marker) -> None:
    """Write the note into the data's folder."""
    with atomic_write(root / NAME, "w") as stream:
        json.dump({"note": "drawn by `paddleisa prepare scenes`, no photographs", **asdict(marker)}, stream, indent=1)
        stream.write("\n")


def read_marker(root: str | Path) -> Marker | None:
    """The note in ``root``, None where there is none; DataError when it cannot be read."""
    path = Path(root) / NAME
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Marker(
            str(values["layout"]),
            {str(mode): int(count) for mode, count in values["counts"].items()},
            {str(mode): [int(number) for number in ids] for mode, ids in values["classes"].items()},
            (int(values["size"][0]), int(values["size"][1])),
            int(values["seed"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise DataError(
            "the note about generated data is damaged", where=path, fix="Generate the data again"
        ) from error

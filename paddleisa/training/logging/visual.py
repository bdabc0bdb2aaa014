"""Writing a VisualDL run.

VisualDL's own LogWriter hands records to a thread, which prints an error of the disk and drops the record, leaves
half of it in the file, and hangs the training at the next flush when standard output lies on the same full disk. Here
the records are VisualDL's, and the frames are written by the caller's thread: whole, at once, or with a WriteError.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from paddleisa.training.logging.appending import AppendFile
from paddleisa.training.logging.records import frame, record_types

FOLDER = "visualdl"
# A fixed name: VisualDL shows only the newest file of a folder, so a resumed run must append to the one it has.
FILE_NAME = "vdlrecords.paddleisa.log"
# Longest side of an image, pixels. Every evaluation adds images, and the board reads the whole file.
MAX_SIDE = 1536


class VisualRun:
    """Appends records to one file of VisualDL. Raises WriteError when it cannot.

    Args:
        path: the file; its name must hold ``vdlrecords``, and its folder no other such file.
    """

    def __init__(self, path: Path):
        self._types = record_types()
        self._file = AppendFile(path)
        if path.stat().st_size == 0:
            self._append([self._value("meta_data_tag", 0, meta_data=self._types.Record.MetaData())])

    def scalars(self, iteration: int, values: Mapping[str, float]) -> None:
        """Append one point to each tag's curve. NaN and infinities are kept: the board names them."""
        self._append(self._value(tag, iteration, value=float(value)) for tag, value in values.items())

    def images(self, iteration: int, images: Mapping[str, np.ndarray]) -> None:
        """Append (H, W, 3) RGB images, 0..255, shrunk to :data:`MAX_SIDE`; the arrays stay as they are."""
        make = self._types.Record.Image
        for tag, image in images.items():
            self._append([self._value(tag, iteration, image=make(encoded_image_string=_png(image)))])

    def hparams(self, values: Mapping[str, object], metrics: Iterable[str]) -> None:
        """Append the run's hyper-parameters, and the tags of the scalars to show beside them."""
        hparam = self._types.Record.HParam(name=FOLDER)
        for name, value in flattened(values).items():
            key = {int: "int_value", float: "float_value"}.get(type(value), "string_value")
            hparam.hparamInfos.add(name=name, **{key: value})
        for tag in metrics:
            hparam.metricInfos.add(name=tag, float_value=0.0)
        self._append([self._value("hparam", 1, hparam=hparam)])

    def sync(self) -> None:
        """Wait until the file is on the disk."""
        self._file.sync()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _value(self, tag: str, iteration: int, **content: object) -> object:
        return self._types.Record.Value(id=iteration, tag=tag, timestamp=round(time.time() * 1000), **content)

    def _append(self, values: Iterable[object]) -> None:
        """One write for all, so that a kill leaves all of them or (but for a cut tail) none."""
        self._file.write(b"".join(frame(self._types.Record(values=[value])) for value in values))


def tag(*parts: str) -> str:
    """The parts joined by slashes, freed of what VisualDL's tags cannot hold.

    It uses ``%`` for ``/`` inside, so a name may hold neither; line breaks and tabs would break its tables.
    """
    clean = (" ".join(part.replace("%", "pct").replace("/", "_").split()) for part in parts)
    return "/".join(part or "_" for part in clean)


def tags(group: tuple[str, ...], names: Iterable[str]) -> list[str]:
    """A tag for each name, all different: a second one of the same spelling gets a number."""
    made: list[str] = []
    for name in names:
        first = candidate = tag(*group, name)
        number = 2
        while candidate in made:
            candidate, number = f"{first} ({number})", number + 1
        made.append(candidate)
    return made


def flattened(values: Mapping[str, object], prefix: str = "") -> dict[str, int | float | str]:
    """Nested settings as dotted names with values that VisualDL takes; an integer that its page cannot hold is text."""
    flat: dict[str, int | float | str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{name}.")
        elif isinstance(value, (list, tuple)):
            flat[name] = json.dumps(value, default=str)
        elif type(value) is float or (type(value) is int and abs(value) < 2**53):
            flat[name] = value
        else:
            flat[name] = str(value)
    return flat


def _png(image: np.ndarray) -> bytes:
    import cv2

    if image.dtype != np.uint8:
        image = np.clip(image, 0, 255).astype(np.uint8)
    if (factor := MAX_SIDE / max(image.shape[:2])) < 1:
        height, width = (max(1, round(side * factor)) for side in image.shape[:2])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()

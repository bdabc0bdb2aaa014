"""A VisualDL run: one file of records, written, and repaired, by us.

The file is a row of frames, each ``<uint64 little-endian length><protobuf Record>``. A frame that is cut short stops
the board at its start, and everything appended behind one is unreadable for ever. VisualDL's own LogWriter hands
records to a thread, which prints an error of the disk and drops the record, leaves half of it in the file, and hangs
the training at the next flush when standard output lies on the same full disk. Here the records are VisualDL's, and
the frames are written by the caller's thread: whole, at once, or with a WriteError.
"""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from paddleisa.errors import UsageError
from paddleisa.training.logging.sink import Averages, Sink
from paddleisa.utils.files import AppendFile, keep_pieces

if TYPE_CHECKING:
    from paddleisa.evaluation.evaluate import Evaluation

FOLDER = "visualdl"
# A fixed name: VisualDL shows only the newest file of a folder, so a resumed run must append to the one it has.
FILE_NAME = "vdlrecords.paddleisa.log"
# Longest side of an image, pixels. Every evaluation adds images, and the board reads the whole file.
MAX_SIDE = 1536

_LENGTH = struct.Struct("<Q")
# The kinds of record that describe the run: their ``id`` is no iteration.
_OF_THE_RUN = ("meta_data", "hparam")
_WITHOUT = "Install visualdl 2.5.3 and let HOME be writable, or train without --use_vdl"


class VisualDLLog(Sink):
    """Appends records to one file of VisualDL.

    Args:
        path: the file; its name must hold ``vdlrecords``, and its folder no other such file.
        resume_at: iteration of the checkpoint that is continued from; None for a fresh run.

    Raises:
        UsageError: VisualDL cannot be imported.
    """

    def __init__(self, path: Path, resume_at: int | None = None):
        self._has_hparams = resume_at is not None and rewind(path, resume_at)
        self._types = _record_types()
        self._file = AppendFile(path)
        if path.stat().st_size == 0:
            self._append([self._value("meta_data_tag", 0, meta_data=self._types.Record.MetaData())])

    def hparams(self, values: Mapping[str, object], metrics: Sequence[str]) -> None:
        """Append the run's hyper-parameters once, and the tags of the scalars to show beside them."""
        if self._has_hparams:
            return
        hparam = self._types.Record.HParam(name=FOLDER)
        for name, value in flattened(values).items():
            key = {int: "int_value", float: "float_value"}.get(type(value), "string_value")
            hparam.hparamInfos.add(name=name, **{key: value})
        for metric in metrics:
            hparam.metricInfos.add(name=metric, float_value=0.0)
        self._append([self._value("hparam", 1, hparam=hparam)])
        self._has_hparams = True

    def train(self, iteration: int, means: Averages) -> None:
        """Append a point to each curve of the training, under PaddleSeg's tags where it has one."""
        points = {name: getattr(means, name) for name in ("loss", "lr", "batch_cost", "reader_cost", "ips")}
        points |= dict(zip(tags((), (f"loss_{name}" for name in means.losses)), means.losses.values(), strict=True))
        if means.memory_mb is not None:
            points["memory_mb"] = means.memory_mb
        self._scalars(iteration, {f"Train/{name}": value for name, value in points.items()})

    def evaluation(self, iteration: int, evaluation: Evaluation, class_names: Sequence[str]) -> None:
        """Append a point to each curve of the scores, and of the IoU of every class that is not absent."""
        scores = evaluation.scores
        if not scores.pixels:
            return
        named = {"mIoU": scores.miou, "Acc": scores.accuracy, "Kappa": scores.kappa, "Dice": scores.mdice}
        points = {f"Evaluate/{name}": value for name, value in named.items()}
        rows = zip(tags(("Evaluate", "IoU"), class_names), scores.class_iou, scores.class_absent, strict=True)
        points |= {name: iou for name, iou, absent in rows if not absent}
        self._scalars(iteration, points)

    def images(self, iteration: int, images: Mapping[str, np.ndarray]) -> None:
        """Append (H, W, 3) RGB images, 0..255, shrunk to :data:`MAX_SIDE`; the arrays stay as they are."""
        make = self._types.Record.Image
        for name, image in zip(tags(("Predictions",), images), images.values(), strict=True):
            self._append([self._value(name, iteration, image=make(encoded_image_string=_png(image)))])

    def sync(self) -> None:
        """Wait until the file is on the disk."""
        self._file.sync()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _scalars(self, iteration: int, values: Mapping[str, float]) -> None:
        """NaN and infinities are kept: the board names them."""
        self._append(self._value(name, iteration, value=float(value)) for name, value in values.items())

    def _value(self, name: str, iteration: int, **content: object) -> object:
        return self._types.Record.Value(id=iteration, tag=name, timestamp=round(time.time() * 1000), **content)

    def _append(self, values: Iterable[object]) -> None:
        """One write for all, so that a kill leaves all of them or (but for a cut tail) none."""
        records = (self._types.Record(values=[value]).SerializeToString() for value in values)
        self._file.write(b"".join(_LENGTH.pack(len(record)) + record for record in records))


def rewind(path: Path, iteration: int) -> bool:
    """Cut a torn or damaged tail off a record file, and drop the records of later iterations.

    Args:
        path: the file; a missing one stays missing.
        iteration: the last one to keep.

    Returns:
        Whether the file holds the run's hyper-parameters.

    Raises WriteError; the file is then as it was. Raises UsageError when VisualDL cannot be imported.
    """
    has_hparams = False

    def pieces() -> Iterator[tuple[int, int, bool]]:
        nonlocal has_hparams
        for start, end, value in _values(path):
            kind = value.WhichOneof("one_value")
            has_hparams = has_hparams or kind == "hparam"
            yield start, end, kind in _OF_THE_RUN or value.id <= iteration

    keep_pieces(path, pieces())
    return has_hparams


def cut_torn_tail(path: Path) -> None:
    """Cut a torn tail off a record file; this needs no VisualDL. Raises WriteError; the file is then as it was."""
    keep_pieces(path, ((start, end, True) for start, end, _ in _frames(path)))


def is_whole(path: Path) -> bool:
    """Whether the file ends with a whole frame, so that the board can read it."""
    return sum(end - start for start, end, _ in _frames(path)) == path.stat().st_size


def _frames(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """(start, end, protobuf) of the frames up to the first that is cut short or empty: a loss of power leaves zeros."""
    size, start = path.stat().st_size, 0
    with path.open("rb") as stream:
        while len(head := stream.read(_LENGTH.size)) == _LENGTH.size:
            length = _LENGTH.unpack(head)[0]
            end = start + _LENGTH.size + length
            if not length or end > size:
                return
            yield start, end, stream.read(length)
            start = end


def _values(path: Path) -> Iterator[tuple[int, int, Any]]:
    """(start, end, the record's value) of the frames up to the first that holds no record."""
    from google.protobuf.message import DecodeError

    record = _record_types().Record()
    for start, end, data in _frames(path):
        try:
            record.ParseFromString(data)
        except DecodeError:
            return
        if not record.values or record.values[0].WhichOneof("one_value") is None:
            return
        yield start, end, record.values[0]


def _record_types() -> ModuleType:
    """VisualDL's protobuf module. Imported on first use: 0.23 s, a third of it a client for a cloud storage."""
    try:
        from visualdl.proto import record_pb2
    except ImportError as error:
        raise UsageError(f"VisualDL cannot be imported ({error})", where="--use_vdl", fix=_WITHOUT) from error
    except OSError as error:  # importing it makes ~/.visualdl
        raise UsageError(f"VisualDL cannot make its folder ({error})", where="--use_vdl", fix=_WITHOUT) from error
    return record_pb2


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

"""A VisualDL run, one file of records, written, and repaired, by us; and VisualDL's board that shows it.

The file is a row of frames, each ``<uint64 little-endian length><protobuf Record>``. A frame that is cut short stops
the board at its start, and everything appended behind one is unreadable for ever. VisualDL's own LogWriter hands
records to a thread, which prints an error of the disk and drops the record, leaves half of it in the file, and hangs
the training at the next flush when standard output lies on the same full disk. Here the records are VisualDL's, and
the frames are written by the caller's thread: whole, at once, or with a WriteError.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from paddleisa.errors import UsageError
from paddleisa.training.logging.sinks import Averages, Sink
from paddleisa.utils.files import keep_pieces

if TYPE_CHECKING:
    from paddleisa.evaluation.evaluate import Evaluation

# Longest side of an image, pixels. Every evaluation adds images, and the board reads the whole file.
MAX_SIDE = 1536

_LENGTH = struct.Struct("<Q")
# The kinds of record that describe the run: their ``id`` is no iteration.
_OF_THE_RUN = ("meta_data", "hparam")
_WITHOUT = "Install visualdl 2.5.3 and let HOME be writable, or train without --use_vdl"


class VisualDLLog(Sink):
    """Appends records to one file of VisualDL, whose name holds ``vdlrecords``, in a folder without other such files.

    Raises UsageError when VisualDL cannot be imported.
    """

    def __init__(self, path: Path, resume_at: int | None = None):
        self._has_hparams = resume_at is not None and rewind(path, resume_at)
        self._types = _record_types()
        super().__init__(path)
        if path.stat().st_size == 0:
            self._append([self._value("meta_data_tag", 0, meta_data=self._types.Record.MetaData())])

    def hparams(self, values: Mapping[str, object], metrics: Sequence[str]) -> None:
        if self._has_hparams:
            return
        hparam = self._types.Record.HParam(name="visualdl")
        for name, value in flattened(values).items():
            key = {int: "int_value", float: "float_value"}.get(type(value), "string_value")
            hparam.hparamInfos.add(name=name, **{key: value})
        for metric in metrics:
            hparam.metricInfos.add(name=metric, float_value=0.0)
        self._append([self._value("hparam", 1, hparam=hparam)])
        self._has_hparams = True

    def train(self, iteration: int, means: Averages) -> None:
        points = {name: getattr(means, name) for name in ("loss", "lr", "batch_cost", "reader_cost", "ips")}
        points |= dict(zip(tags((), (f"loss_{name}" for name in means.losses)), means.losses.values(), strict=True))
        if means.memory_mb is not None:
            points["memory_mb"] = means.memory_mb
        self._scalars(iteration, {f"Train/{name}": value for name, value in points.items()})

    def evaluation(self, iteration: int, evaluation: Evaluation, class_names: list[str]) -> None:
        scores = evaluation.scores
        if not scores.pixels:
            return
        named = {"mIoU": scores.miou, "Acc": scores.accuracy, "Kappa": scores.kappa, "Dice": scores.mdice}
        points = {f"Evaluate/{name}": value for name, value in named.items()}
        rows = zip(tags(("Evaluate", "IoU"), class_names), scores.class_iou, scores.class_absent, strict=True)
        points |= {name: iou for name, iou, absent in rows if not absent}
        self._scalars(iteration, points)

    def images(self, iteration: int, images: Mapping[str, np.ndarray]) -> None:
        make = self._types.Record.Image
        for name, image in zip(tags(("Predictions",), images), images.values(), strict=True):
            self._append([self._value(name, iteration, image=make(encoded_image_string=_png(image)))])

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
    """Drop a torn or damaged tail and the records of later iterations; true when hparams are among the rest.

    Raises WriteError; the file is then as it was. Raises UsageError when VisualDL cannot be imported.
    """
    kinds = set()

    def pieces() -> Iterator[tuple[int, int, bool]]:
        for start, end, value in _values(path):
            kinds.add(kind := value.WhichOneof("one_value"))
            yield start, end, kind in _OF_THE_RUN or value.id <= iteration

    keep_pieces(path, pieces())
    return "hparam" in kinds


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
    except (ImportError, OSError) as error:
        what = "be imported" if isinstance(error, ImportError) else "make its folder"  # importing it makes ~/.visualdl
        raise UsageError(f"VisualDL cannot {what} ({error})", where="--use_vdl", fix=_WITHOUT) from error
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
        first = tag(*group, name)
        numbered = (first if number == 1 else f"{first} ({number})" for number in count(1))
        made.append(next(candidate for candidate in numbered if candidate not in made))
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


HOST = "127.0.0.1"
START_LIMIT, STOP_LIMIT, POLL = 60.0, 5.0, 0.1  # seconds; the server answers after 1.5 s on an idle machine
# Seconds that an answer may be old; the server's own default, 20, makes a young run look empty.
CACHE_SECONDS = 5
# The server's process. It ends with the one that started it: a training killed with SIGKILL cannot end its server, but
# the system closes its end of the pipe that is the server's standard input.
SERVER = """
import os, sys, threading
sys.path.pop(0)  # the folder of the runs: nothing in it may take the place of an installed module
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
from visualdl.server.app import main
main()
"""


class Board:
    """A running server. It ends with :meth:`close`, at this process's exit, and when this process is killed.

    Attributes:
        address: of the curves, ``http://127.0.0.1:PORT/app/scalar``.
        process: the server.
    """

    def __init__(self, process: subprocess.Popen, address: str):
        self.process, self.address = process, address
        atexit.register(self.close)

    def __str__(self) -> str:
        return self.address

    def close(self) -> None:
        """End the server; a second call does nothing."""
        atexit.unregister(self.close)
        _end(self.process)


def serve(save_dir: str | Path) -> Board:
    """Start the board, the settings such that it answers everybody and tells nobody, and wait until it answers.

    Call it when the run's log is open: a torn file stops the server, and opening the log repairs it; a server that
    has read a file goes on at the place where it stopped, whatever a resumed run has dropped before it.

    Args:
        save_dir: looked through with all its folders; made when it is missing.

    Raises:
        UsageError: the server cannot start, or it does not answer within a minute.
    """
    folder = Path(save_dir).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    # The server runs beside `folder`, so that its page shows short names of the runs.
    command = [sys.executable, "-c", SERVER, "--logdir", folder.name or "/", "--host", HOST, "--port", str(port)]
    command += ["--language", "en", "--disable-telemetry", "--cache-timeout", str(CACHE_SECONDS)]
    with tempfile.TemporaryFile() as said:
        # A session of its own: Ctrl-C ends the training after its step, and the board with it, not before it.
        process = subprocess.Popen(
            command, cwd=folder.parent, stdin=subprocess.PIPE, stdout=said, stderr=said, start_new_session=True
        )
        if (problem := _wait(process, port)) is not None:
            _end(process)
            said.seek(0)
            lines = [line.strip() for line in said.read().decode("utf-8", errors="replace").split("\n")]
            last = next((line for line in reversed(lines) if line), "it said nothing")
            records = (path for path in sorted(folder.rglob("*vdlrecords*")) if path.is_file())
            torn = [str(path) for path in records if not is_whole(path)]
            fix = f"Cut short, remove or resume: {', '.join(torn)}" if torn else f"Its last line: {last}"
            raise UsageError(problem, where=folder, fix=fix)
    return Board(process, f"http://{HOST}:{port}/app/scalar")


def _wait(process: subprocess.Popen, port: int) -> str | None:
    """What went wrong; None when the server answers."""
    deadline = time.monotonic() + START_LIMIT
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a user's proxy cannot reach our loopback
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return "VisualDL's server ended at its start"
        with contextlib.suppress(OSError), opener.open(f"http://{HOST}:{port}/alive", timeout=5):
            return None
        time.sleep(POLL)
    return f"VisualDL's server did not answer within {START_LIMIT:.0f} seconds"


def _end(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert process.stdin is not None  # it is a pipe
    process.stdin.close()

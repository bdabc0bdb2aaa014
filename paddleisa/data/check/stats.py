"""One sample's files looked at once: everything that any later rule needs, small enough to be kept.

It says nothing about a config. So it stays valid while ``num_classes``, palettes or splits change, and the cache makes
the next check of the same files quick, and one that was stopped go on where it was: a text file with one JSON line per
sample, keyed by the paths, sizes and modification times of its files. A line that was cut off by a kill is skipped.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import cv2
import numpy as np
from PIL import Image
from pydantic import TypeAdapter

from paddleisa.datasets.image_header import open_header, orientation
from paddleisa.datasets.images import damage, decode_image, decode_label
from paddleisa.datasets.inventory import Problem, Row
from paddleisa.errors import DataError
from paddleisa.utils.environment import home
from paddleisa.utils.files import write_error

THUMBNAIL = 16  # pixels, both ways
EDGES = (48, 32)  # cells, width and height
_WORK = 384  # edges are found at about this width: fine enough for thin things, cheap enough for thousands of frames
_AGAIN = "Copy, unpack or download the file again"
_MODES = {"1": "1-bit grey", "L": "8-bit grey", "P": "palette", "I;16": "16-bit grey", "LA": "8-bit grey and alpha"}


@dataclass
class ImageStats:
    """An image file.

    Attributes:
        trouble: why it cannot be read; the rest is empty then.
        size: (width, height) as it is read.
        plain_size: the same without its EXIF orientation.
        turned: it carries an EXIF orientation.
        mode: for people: "8-bit RGB".
        digest: of its bytes.
        thumbnail: hex, 16 x 16 shades of grey: the same for a copy of another size or compression.
        edges: hex, how much goes on in each of 48 x 32 cells: the mean gradient, its root as uint8.
    """

    trouble: Problem | None = None
    size: tuple[int, int] = (0, 0)
    plain_size: tuple[int, int] = (0, 0)
    turned: bool = False
    mode: str = ""
    digest: str = ""
    thumbnail: str = ""
    edges: str = ""


@dataclass
class LabelStats:
    """A label file.

    Attributes:
        trouble: why it cannot be read; ``colours`` may be known even then.
        size: (width, height).
        mode: for people.
        counts: {number in the file: pixels}.
        palette: {number: "rrggbb"} of a palette PNG.
        colours: up to 300 colours of a label that holds such, "rrggbb".
        edges: hex, how much border between classes each of 48 x 32 cells holds.
        stale: pixels that are not what the label that it was made from says.
    """

    trouble: Problem | None = None
    size: tuple[int, int] = (0, 0)
    mode: str = ""
    counts: dict[int, int] = field(default_factory=dict)
    palette: dict[int, str] = field(default_factory=dict)
    colours: list[str] = field(default_factory=list)
    edges: str = ""
    stale: int = 0


@dataclass
class SampleStats:
    """A sample's files; ``label`` is None where there is none."""

    image: ImageStats
    label: LabelStats | None = None


VERSION = 2  # of what is computed; other versions' lines are computed anew
_STATS = TypeAdapter(SampleStats)


def examine(row: Row, raw: str | None = None, table: np.ndarray | None = None) -> SampleStats:
    """Look at the files of one sample; nothing that is wrong with them is raised.

    Args:
        row: image, label.
        raw: the label that its label was made from, by ``table``, (256,) uint8.
    """
    image_path, label_path = row
    label = None if label_path is None else examine_label(label_path)
    if raw is not None and table is not None and label is not None and label.trouble is None:
        label.stale = _stale(str(label_path), raw, table)
    return SampleStats(examine_image(image_path), label)


def examine_arrays(img: np.ndarray, label: np.ndarray | None) -> SampleStats:
    """The same of a sample that no file holds: (H, W, 3) uint8 RGB and (H, W) uint8."""
    size = img.shape[1::-1]
    image = ImageStats(None, size, size, False, "generated", _digest(img.tobytes()), *_pictures_of(img))
    return SampleStats(image, None if label is None else _of_label(label, LabelStats(mode="generated")))


def examine_image(path: str) -> ImageStats:
    """Read, checksum and decode one image."""
    data = load(path)
    if isinstance(data, Problem):
        return ImageStats(data)
    try:
        img, header = decode_image(data, path), open_header(data, path)
    except DataError as error:
        return ImageStats(_no_image(error))
    turned = orientation(header) != 1
    return ImageStats(None, img.shape[1::-1], header.size, turned, _mode(header), _digest(data), *_pictures_of(img))


def examine_label(path: str) -> LabelStats:
    """Read, checksum and decode one label."""
    data = load(path)
    if isinstance(data, Problem):
        return LabelStats(data)
    stats = LabelStats()
    try:
        header = open_header(data, path)
        stats.mode, stats.size = _mode(header), header.size
        stats.trouble = _unsuitable(data, header, stats)
        if stats.trouble is None:
            _of_label(decode_label(data, path), stats)
    except DataError as error:
        stats.trouble = _no_image(error)
    if stats.trouble is None and header.mode == "P":
        colours = np.array(header.getpalette("RGB"), np.uint8).reshape(-1, 3)
        stats.palette = {value: bytes(colours[value]).hex() for value in stats.counts if value < len(colours)}
    return stats


def load(path: str | Path) -> bytes | Problem:
    """A file's content if it is whole, else what is wrong with it."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        return Problem("missing", "is not there", "Restore it")
    except OSError as error:
        return Problem("unreadable", f"cannot be read ({error.strerror or error})", "Correct its permissions")
    if not data:
        return Problem("empty_file", "holds not a byte", _AGAIN)
    if data.startswith(b"version https://git-lfs"):
        return Problem("not_an_image", "is a pointer of Git LFS, not the file itself", "Run: git lfs pull")
    problem = damage(data)
    if problem is None:
        return data
    return Problem("truncated" if "truncated" in problem else "damaged", problem.removeprefix("the file "), _AGAIN)


def _mode(header: Image.Image) -> str:
    return _MODES.get(header.mode, f"8-bit {header.mode}")


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _no_image(error: DataError) -> Problem:
    return Problem("not_an_image", error.problem.removeprefix("the file "), error.fix or _AGAIN)


def _unsuitable(data: bytes, header: Image.Image, stats: LabelStats) -> Problem | None:
    """A label of a kind that cannot hold class ids; its colours go into ``stats``."""
    if header.format == "JPEG":
        fix = "Make it again as PNG from its source: JPEG has changed the ids near every border"
        return Problem("label_jpeg", "is a JPEG, whose compression changes class ids", fix)
    if header.mode.startswith(("I", "F")):
        values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        fix = "Save the same numbers with 8 bits per pixel"
        if values is not None and values.max() > 1000:
            fix = "It looks like Cityscapes instanceIds (1000 * id + number): use the labelTrainIds"
        return Problem("label_16_bit", f"has 16 bits per pixel or more ({stats.mode})", fix)
    if header.mode in ("1", "L", "P"):
        return None
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is not None:
        flat = pixels.reshape(-1, 3).astype(np.uint32) @ np.array([1, 256, 65536], np.uint32)  # OpenCV's B, G, R
        stats.colours = [f"{colour:06x}" for colour in np.unique(flat)[:300]]
    return Problem("label_colours", f"is an {header.mode} image, not class ids", "")


def _stale(path: str, raw: str, table: np.ndarray) -> int:
    """Number of pixels that are not what the raw label says; 0 where that cannot be read."""
    data = load(raw)
    if isinstance(data, Problem):
        return 0
    try:
        wanted, label = decode_label(data, raw), decode_label(Path(path).read_bytes(), path)
    except (DataError, OSError):
        return 0
    if wanted.shape != label.shape:
        return max(wanted.size, label.size)
    return int(np.count_nonzero(cv2.LUT(wanted, table) != label))


def _of_label(label: np.ndarray, stats: LabelStats) -> LabelStats:
    counts = np.bincount(label.ravel(), minlength=256)
    stats.counts = {int(value): int(counts[value]) for value in np.flatnonzero(counts)}
    step = max(1, round(label.shape[1] / _WORK))
    small = label[::step, ::step]
    border = np.zeros(small.shape, np.float32)
    border[:, 1:] += small[:, 1:] != small[:, :-1]
    border[1:] += small[1:] != small[:-1]
    stats.size, stats.edges = label.shape[1::-1], _cells(np.minimum(border, 1))
    return stats


def _pictures_of(img: np.ndarray) -> tuple[str, str]:
    """Thumbnail and edges of an (H, W, 3) uint8 RGB image."""
    height, width = img.shape[:2]
    if width > _WORK:
        img = cv2.resize(img, (_WORK, max(1, round(height * _WORK / width))), interpolation=cv2.INTER_AREA)
    grey = cv2.resize(cv2.cvtColor(img, cv2.COLOR_RGB2GRAY), (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(img, cv2.COLOR_RGB2LAB).astype(np.float32)
    across, down = np.zeros(lab.shape[:2], np.float32), np.zeros(lab.shape[:2], np.float32)
    across[:, 1:] = np.abs(np.diff(lab, axis=1)).max(axis=2)
    down[1:] = np.abs(np.diff(lab, axis=0)).max(axis=2)
    return grey.tobytes().hex(), _cells(np.maximum(across, down) / 255)


def _cells(values: np.ndarray) -> str:
    cells = cv2.resize(values, EDGES, interpolation=cv2.INTER_AREA)
    return (np.sqrt(np.clip(cells, 0, 1)) * 255).astype(np.uint8).tobytes().hex()


class StatsCache:
    """What is known of samples.

    Args:
        root: what the data set is called in the file's name: its folder.
        folder: where the cache's file lies; None takes ``check`` in ``PADDLEISA_HOME``.
    """

    def __init__(self, root: str | Path, folder: str | Path | None = None):
        digest = hashlib.blake2b(str(Path(root).absolute()).encode(), digest_size=8).hexdigest()
        self.path = (Path(folder) if folder is not None else home() / "check") / f"{digest}.jsonl"
        self._known = _read(self.path)
        self._stream: TextIO | None = None

    def get(self, *files: str | None) -> SampleStats | None:
        """What is known of a sample none of whose files has changed since."""
        return self._known.get(_key(files))

    def put(self, stats: SampleStats, *files: str | None) -> None:
        """Keep a sample, on disk at once. What is wrong is looked at anew each time: a mount shows in no time stamp."""
        if any(part is not None and part.trouble is not None for part in (stats.image, stats.label)):
            return
        try:
            if self._stream is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._stream = self.path.open("a", encoding="utf-8")
            self._stream.write(json.dumps([VERSION, _key(files), _STATS.dump_python(stats, mode="json")]) + "\n")
            self._stream.flush()
        except OSError as error:
            raise write_error(self.path, error) from error

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _key(files: tuple[str | None, ...]) -> str:
    parts = []
    for path in files:
        if path is not None:
            try:
                stat = Path(path).stat()
                parts.append(f"{path}|{stat.st_size}|{stat.st_mtime_ns}")
            except OSError:
                parts.append(f"{path}|")
    return "\n".join(parts)


def _read(path: Path) -> dict[str, SampleStats]:
    known = {}
    with suppress(OSError, UnicodeDecodeError):
        for line in path.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError, TypeError):  # cut off, or of another version
                version, key, values = json.loads(line)
                if version == VERSION:
                    known[key] = _STATS.validate_python(values)
    return known

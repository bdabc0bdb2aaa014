"""One sample's files looked at once: everything that any later judgement needs, small enough to be kept.

The facts say nothing about a config. So they stay valid while ``num_classes``, palettes or splits change, and the
cache (``cache.py``) makes the next check of the same files quick.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from paddleisa.data.check import fingerprint
from paddleisa.data.check.probe import Probe, probe
from paddleisa.data.prepare.cityscapes_ids import TO_TRAIN_ID
from paddleisa.datasets import png
from paddleisa.datasets.images import damage, decode_image, decode_label
from paddleisa.errors import DataError

TRAIN_IDS, LABEL_IDS = "_labelTrainIds.png", "_labelIds.png"
_AGAIN = "Copy, unpack or download the file again"


@dataclass
class Trouble:
    """Why a file is of no use: a kind of ``findings.KINDS``, what is wrong, what to do."""

    kind: str
    problem: str
    fix: str


@dataclass
class ImageFacts:
    """An image file. ``size`` is (width, height) as it is read, ``plain_size`` without its EXIF orientation."""

    trouble: Trouble | None = None
    size: tuple[int, int] = (0, 0)
    plain_size: tuple[int, int] = (0, 0)
    turned: bool = False
    mode: str = ""
    digest: str = ""
    thumbnail: bytes = b""
    edges: bytes = b""


@dataclass
class LabelFacts:
    """A label file. ``counts`` {value: pixels}, ``palette`` {value: "rrggbb"}, ``colours`` where it holds such."""

    trouble: Trouble | None = None
    size: tuple[int, int] = (0, 0)
    mode: str = ""
    counts: dict[int, int] = field(default_factory=dict)
    palette: dict[int, str] = field(default_factory=dict)
    colours: list[str] = field(default_factory=list)
    edges: bytes = b""
    stale: int = 0


@dataclass
class Facts:
    """A sample's files; ``label`` is None where there is none."""

    image: ImageFacts
    label: LabelFacts | None


def examine(row: tuple[str, str | None]) -> Facts:
    """Look at the files of one sample; nothing that is wrong with them is raised."""
    image_path, label_path = row
    return Facts(examine_image(image_path), None if label_path is None else examine_label(label_path))


def examine_arrays(img: np.ndarray, label: np.ndarray | None) -> Facts:
    """The facts of a sample that no file holds: (H, W, 3) uint8 RGB and (H, W) uint8."""
    size = img.shape[1::-1]
    image = ImageFacts(None, size, size, False, "generated", hashlib.blake2b(img.tobytes(), digest_size=16).hexdigest())
    image.thumbnail, image.edges = fingerprint.of_image(img)
    return Facts(image, None if label is None else _of_label(label, LabelFacts(mode="generated")))


def examine_image(path: str) -> ImageFacts:
    """Read, checksum and decode one image."""
    data = load(path)
    if isinstance(data, Trouble):
        return ImageFacts(data)
    header = probe(data)
    try:
        img = decode_image(data, path)
    except DataError as error:
        return ImageFacts(_no_image(error))
    size = plain = img.shape[1::-1]
    turned = False
    if b"Exif" in data[: 1 << 16] or b"eXIf" in data:
        upright = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        plain = upright.shape[1::-1]
        turned = plain != size or not np.array_equal(upright[..., ::-1], img)
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    mode = header.mode if header else "another format"
    return ImageFacts(None, size, plain, turned, mode, digest, *fingerprint.of_image(img))


def examine_label(path: str) -> LabelFacts:
    """Read, checksum and decode one label; of Cityscapes' trainIds, also compare with the labelIds beside them."""
    data = load(path)
    if isinstance(data, Trouble):
        return LabelFacts(data)
    header = probe(data)
    facts = LabelFacts(mode=header.mode if header else "another format", size=header.size if header else (0, 0))
    facts.trouble = _unsuitable(data, header, facts)
    if facts.trouble is not None:
        return facts
    try:
        label = decode_label(data, path)
    except DataError as error:
        facts.trouble = _no_image(error)
        return facts
    _of_label(label, facts)
    if header is not None and header.kind == "palette":
        colours = palette_chunk(data)
        facts.palette = {v: colours[3 * v : 3 * v + 3].hex() for v in facts.counts if 3 * v + 3 <= len(colours)}
    if path.endswith(TRAIN_IDS):
        facts.stale = _stale(label, Path(path.removesuffix(TRAIN_IDS) + LABEL_IDS))
    return facts


def load(path: str | Path) -> bytes | Trouble:
    """A file's content if it is whole, else what is wrong with it."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        if path.is_symlink():
            target = path.readlink()
            return Trouble("broken_symlink", f"is a link to {target}, which is not there", "Restore that file")
        return Trouble("missing", "is not there", "Restore it")
    except OSError as error:
        return Trouble("unreadable", f"cannot be read ({error.strerror or error})", "Correct its permissions")
    if not data:
        return Trouble("empty_file", "holds not a byte", _AGAIN)
    if data.startswith(b"version https://git-lfs"):
        return Trouble("not_an_image", "is a pointer of Git LFS, not the file itself", "Run: git lfs pull")
    problem = damage(data)
    if problem is None:
        return data
    return Trouble("truncated" if "truncated" in problem else "damaged", problem.removeprefix("the file "), _AGAIN)


def palette_chunk(data: bytes) -> bytes:
    """The colours of an intact palette PNG, three bytes each."""
    start = data.find(b"PLTE", len(png.SIGNATURE))
    return b"" if start < 0 else data[start + 4 : start + 4 + int.from_bytes(data[start - 4 : start], "big")]


def _of_label(label: np.ndarray, facts: LabelFacts) -> LabelFacts:
    counts = np.bincount(label.ravel(), minlength=256)
    facts.counts = {int(value): int(counts[value]) for value in np.flatnonzero(counts)}
    facts.size, facts.edges = label.shape[1::-1], fingerprint.of_label(label)
    return facts


def _no_image(error: DataError) -> Trouble:
    return Trouble("not_an_image", error.problem.removeprefix("the file "), error.fix or _AGAIN)


def _unsuitable(data: bytes, header: Probe | None, facts: LabelFacts) -> Trouble | None:
    """A label of a kind that cannot hold class ids; its colours go into ``facts``."""
    if header is None:
        return None
    if header.format == "JPEG":
        fix = "Make it again as PNG from its source: JPEG has changed the ids near every border"
        return Trouble("label_jpeg", "is a JPEG, whose compression changes class ids", fix)
    if header.depth == 16:
        values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        fix = "Save the same numbers with 8 bits per pixel"
        if values is not None and values.max() > 1000:
            fix = "It looks like Cityscapes instanceIds (1000 * id + number): use the labelTrainIds"
        return Trouble("label_16_bit", f"has 16 bits per pixel ({header.kind})", fix)
    if header.kind in ("grey", "palette"):
        return None
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is not None:
        flat = pixels.reshape(-1, 3).astype(np.uint32) @ np.array([1, 256, 65536], np.uint32)  # OpenCV's B, G, R
        facts.colours = [f"{colour:06x}" for colour in np.unique(flat)[:300]]
    return Trouble("label_colours", f"is an {header.kind} image, not class ids", "")


def _stale(label: np.ndarray, raw_path: Path) -> int:
    """Number of pixels that are not what the labelIds beside them say; 0 where there are no readable labelIds."""
    data = load(raw_path)
    if isinstance(data, Trouble):
        return 0
    try:
        ids = decode_label(data, raw_path)
    except DataError:
        return 0
    if ids.shape != label.shape:
        return max(ids.size, label.size)
    return int(np.count_nonzero(cv2.LUT(ids, TO_TRAIN_ID) != label))

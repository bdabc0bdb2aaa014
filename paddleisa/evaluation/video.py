"""Masks over the frames of a video or of a camera, written as a video."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from paddleisa.errors import DataError
from paddleisa.evaluation.predict import FOLDERS
from paddleisa.utils.concurrency import Behind, prefetched
from paddleisa.utils.files import write_error
from paddleisa.utils.process import StopRequest
from paddleisa.utils.progress import Progress
from paddleisa.visual.overlay import overlay

if TYPE_CHECKING:
    from paddleisa.inference.masks import ViewLogits
    from paddleisa.predictor import Predictor

SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")
USUAL_RATE = 25.0  # frames a second, of a camera that does not tell


@dataclass(frozen=True)
class VideoResult:
    """What became of a video.

    Attributes:
        source: a file, or the number of a camera.
        file: the video with masks laid over.
        frames: in it.
        seconds: that this took.
    """

    source: str
    file: Path
    frames: int
    seconds: float

    @property
    def fps(self) -> float:
        """Frames computed in a second."""
        return self.frames / max(self.seconds, 1e-9)

    def __str__(self) -> str:
        return f"{self.file}: {self.frames} frames in {self.seconds:.1f} s, {self.fps:.2f} frames per second"

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"source": self.source, "overlay": str(self.file), "frames": self.frames, "seconds": self.seconds}


def is_video(named: str | Path) -> bool:
    """Whether an argument names a video file, or a camera by its number."""
    return Path(named).suffix.lower() in SUFFIXES or (str(named).isdecimal() and not Path(named).exists())


def predict_video(
    predictor: Predictor,
    source: str | Path,
    save_dir: str | Path,
    palette: np.ndarray,
    *,
    limit: int | None = None,
    progress: bool = True,
) -> VideoResult:
    """Lay the masks over every frame; Ctrl-C ends the video there, and what was computed is kept.

    Args:
        predictor: model, preprocessing and test settings.
        source: a file that OpenCV reads, or the number of a camera (``0``), which is read until Ctrl-C.
        save_dir: gets ``added_prediction/NAME.mp4``.
        palette: (K, 3) uint8 RGB.
        limit: compute the first frames only.
        progress: show how far it is.

    Raises:
        DataError: it cannot be read, or this OpenCV cannot write videos. WriteError: the result cannot be written.
    """
    camera = str(source).isdecimal()
    capture = cv2.VideoCapture(int(str(source)) if camera else str(source))
    if not capture.isOpened():
        fix = "Give the number of a connected camera" if camera else "Convert it with ffmpeg, to MP4 say"
        raise DataError(f"OpenCV cannot read this {'camera' if camera else 'video'}", where=source, fix=fix)
    count = None if camera else int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) or None
    count = limit if limit and (count is None or limit < count) else count
    size = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    name = f"camera{source}" if camera else Path(source).stem
    target = Path(save_dir) / FOLDERS["overlay"] / f"{name}.mp4"
    partial = target.with_name(f".{target.stem}.part.mp4")  # OpenCV chooses the format by the ending
    frames, start = 0, time.perf_counter()
    writer = _writer(partial, capture.get(cv2.CAP_PROP_FPS) or USUAL_RATE, size)

    def write(image: np.ndarray, logits: ViewLogits) -> None:
        writer.write(cv2.cvtColor(overlay(image, predictor.mask(logits), palette), cv2.COLOR_RGB2BGR))

    try:
        bar = Progress(f"predict {name}", count, show=progress)
        with StopRequest() as stop, bar, Behind(write) as behind:
            for _, (there, frame) in zip(range(count) if count else itertools.count(), _frames(capture), strict=False):
                if not there or stop.signal is not None:
                    break
                image = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
                behind(image, predictor.logits(predictor.prepare({"img": image})))
                frames += 1
                bar.step(f"{frames / (time.perf_counter() - start):.2f} frames per second")
        writer.release()
        if not frames:
            raise DataError("there is no frame in it", where=source)
        partial.replace(target)
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        writer.release()
        capture.release()
        partial.unlink(missing_ok=True)
    return VideoResult(str(source), target, frames, time.perf_counter() - start)


def _frames(capture: cv2.VideoCapture):
    """(whether there is one, frame) without end, read one ahead."""
    return prefetched(lambda _: capture.read(), itertools.count(), 1)


def _writer(path: Path, rate: float, size: tuple[int, int]) -> cv2.VideoWriter:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(path.parent, error) from error
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
    if not writer.isOpened():
        raise DataError(
            "this OpenCV cannot write the video", where=path, fix="Give a --save_dir that can be written to"
        )
    return writer

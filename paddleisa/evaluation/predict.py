"""Write the masks of images as pictures: class ids, pseudo-colours, and an overlay on the image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paddleisa.datasets.images import read_image, write_image, write_label, write_levels
from paddleisa.errors import DataError, UsageError
from paddleisa.utils.concurrency import Behind, at_once, prefetched
from paddleisa.utils.progress import Progress
from paddleisa.visual.overlay import overlay

if TYPE_CHECKING:
    from paddleisa.evaluation.official import Submission
    from paddleisa.inference.masks import ViewLogits
    from paddleisa.predictor import Predictor

# PaddleSeg's folder names, and one for masks that other programs read.
FOLDERS = {"overlay": "added_prediction", "colour": "pseudo_color_prediction", "ids": "class_id_prediction"}
CONFIDENCE = "confidence"


def result_folders(save_dir: str | Path) -> list[Path]:
    """The folders in ``save_dir`` that ``predict`` writes into."""
    return [Path(save_dir) / name for name in (*FOLDERS.values(), CONFIDENCE)]


@dataclass
class Prediction:
    """What a run over images did: the files written, and what went wrong with the others."""

    written: list[dict[str, object]] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def predict(
    predictor: Predictor,
    images: Sequence[tuple[Path, Path]],
    save_dir: str | Path,
    palette: np.ndarray,
    *,
    workers: int = 1,
    progress: bool = True,
    submission: Submission | None = None,
    confidence: bool = False,
) -> Prediction:
    """Predict every image and write three pictures of each; a damaged image does not stop the others.

    Args:
        predictor: model, preprocessing and test settings.
        images: as ``datasets.image_files.find_images`` gives them.
        save_dir: gets the folders ``added_prediction`` (overlay), ``pseudo_color_prediction`` (palette PNG) and
            ``class_id_prediction`` (grey PNG of class ids).
        palette: (K, 3) uint8 RGB.
        submission: writes one file per image in a benchmark's format instead of the three.
        confidence: also write the probability of each pixel's class, in the folder ``confidence`` as a grey PNG of 16
            bits: 65535 is 1.

    Raises:
        UsageError: a result would overwrite one of the images.
    """
    if submission is None:
        folders = {**FOLDERS, **({"confidence": CONFIDENCE} if confidence else {})}
        targets = _targets(images, Path(save_dir), folders)
    else:
        targets = [{"submission": file} for file in submission.targets([path for path, _ in images])]
    bar = Progress("predict", len(images), show=progress)
    results = _Results(predictor, palette, submission, bar)
    with bar, Behind(results.write) as behind:  # the pictures of one image while the network computes the next
        paths = [path for path, _ in images]
        loaded = zip(paths, prefetched(_load, paths, workers), strict=True)
        computed = at_once(partial(_compute, predictor, bar), loaded, predictor.engine.streams)
        for path, files, (image, logits) in zip(paths, targets, computed, strict=True):
            if isinstance(logits, DataError):
                results.skip(path, logits)
            else:
                behind(path, files, image, logits)
    return results.result


class _Results:
    """Writes the pictures and keeps account of them."""

    def __init__(self, predictor: Predictor, palette: np.ndarray, submission: Submission | None, bar: Progress):
        self.result = Prediction()
        self._predictor, self._palette, self._submission, self._bar = predictor, palette, submission, bar

    def write(self, path: Path, files: dict[str, Path], image: np.ndarray, logits: ViewLogits) -> None:
        """The mask of one image, in every form that was asked for."""
        if "confidence" in files:
            mask, probable = self._predictor.mask_and_confidence(logits)
        else:
            mask, probable = self._predictor.mask(logits), None
        try:
            if probable is not None:
                write_levels(files["confidence"], probable)
            if self._submission is None:
                write_label(files["ids"], mask)
                write_label(files["colour"], mask, palette=self._palette)
                write_image(files["overlay"], overlay(image, mask, self._palette))
            else:
                self._submission.write(files["submission"], mask)
        except DataError as error:
            self.skip(path, error)
            return
        names = {kind: str(file) for kind, file in files.items()}
        self.result.written.append({"image": str(path), **names, "areas": areas(mask, self._predictor.classes.names)})
        self._bar.step()

    def skip(self, path: Path, error: DataError) -> None:
        """One image that cannot be used, or its result not be written."""
        self.result.failed[str(path)] = str(error)
        self._bar.write(f"skipped: {error}")
        self._bar.step()


def _compute(
    predictor: Predictor, bar: Progress, loaded: tuple[Path, np.ndarray | DataError]
) -> tuple[object, ViewLogits | DataError]:
    """(image, its logits, or what is wrong with it)."""
    path, image = loaded
    try:
        if isinstance(image, DataError):
            raise image
        sample = predictor.prepare({"img": image})
        if note := predictor.settings.note(sample["img"].shape[1:]):
            bar.write(f"{path}: {note}")
        return image, predictor.logits(sample)
    except DataError as error:
        return image, error


def _load(path: Path) -> np.ndarray | DataError:
    try:
        return read_image(path)
    except DataError as error:
        return error


def areas(mask: np.ndarray, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """{class: pixels and share (0..1) of the mask} of the classes that are in it."""
    counts = np.bincount(mask.ravel(), minlength=len(names))
    return {
        name: {"pixels": int(count), "share": float(count / mask.size)}
        for name, count in zip(names, counts, strict=False)
        if count
    }


def _targets(images: Sequence[tuple[Path, Path]], save_dir: Path, folders: dict[str, str]) -> list[dict[str, Path]]:
    """Result files of each image. Images that differ only in their suffix keep it in the name, others get a number."""
    inputs = {path.resolve() for path, _ in images}
    stems = Counter(relative.with_suffix("") for relative in {path.resolve(): r for path, r in images}.values())
    taken: dict[Path, Path] = {}
    targets = []
    for path, relative in images:
        name = relative.with_suffix(".png") if stems[relative.with_suffix("")] == 1 else Path(f"{relative}.png")
        number = 1
        while taken.setdefault(name, path.resolve()) != path.resolve():
            number += 1
            name = relative.with_name(f"{relative.name}_{number}.png")
        files = {kind: save_dir / folder / name for kind, folder in folders.items()}
        for file in files.values():
            if file.resolve() in inputs:
                raise UsageError(
                    f"the result of {path} would overwrite an image", where=file, fix="Give another --save_dir"
                )
        targets.append(files)
    return targets

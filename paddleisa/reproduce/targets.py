"""The ways in which a row is measured, and the published number that each is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from paddleisa.inference.masks import Protocol, TestSettings
from paddleisa.zoo.catalogue.catalogue import Entry
from paddleisa.zoo.catalogue.schema import Evaluation, Scores

Name = Literal["single", "flip", "ms_flip"]

TOLERANCE = 0.05  # points of mIoU
TITLES = {"single": "single scale", "flip": "flip", "ms_flip": "ms + flip"}
_AUGMENTATION: dict[str, dict] = {
    "single": {},
    "flip": {"flip_horizontal": True},
    "ms_flip": {"scales": (0.75, 1.0, 1.25), "flip_horizontal": True},
}


@dataclass(frozen=True)
class Way:
    """One way of evaluating.

    Attributes:
        name: single, flip, or ms_flip.
        settings: what ``val`` would be told.
        published: mIoU in per cent that it must give, None where nobody published one.
    """

    name: Name
    settings: TestSettings
    published: float | None

    @property
    def protocol(self) -> Protocol:
        """How test-time augmentation is done; see :mod:`paddleisa.inference.masks`."""
        return self.settings.protocol

    @property
    def key(self) -> str:
        """``published/single`` and so on."""
        return f"{self.protocol}/{self.name}"


def ways_of(entry: Entry) -> list[Way]:
    """Three ways under each of PaddleSeg's two protocols, the published one first; or those of mmsegmentation.

    PaddleSeg's rows were measured with the code of 2021 (single, flip, ``ms_flip_published``), and their ms+flip again
    with that of 2023 (``ms_flip_corrected``). A row of another catalogue that gives one ``ms_flip`` is held, in all
    three scores, against the corrected protocol, which is what ``val`` computes unless told otherwise. A row with an
    ``evaluation`` of its own is one of mmsegmentation's.
    """
    scores, evaluation = entry.row.scores, entry.row.evaluation
    if evaluation is not None:
        return _mmsegmentation(scores, evaluation)
    if scores.ms_flip_published is None and scores.ms_flip_corrected is None:
        published: dict[str, float | None] = {}
        corrected = {"single": scores.single, "flip": scores.flip, "ms_flip": scores.ms_flip}
    else:
        published = {"single": scores.single, "flip": scores.flip, "ms_flip": scores.ms_flip_published}
        corrected = {"ms_flip": scores.ms_flip_corrected}
    return [
        Way(name, TestSettings(**augmentation, protocol=protocol), targets.get(name))
        for protocol, targets in (("published", published), ("corrected", corrected))
        for name, augmentation in _AUGMENTATION.items()
    ]


def _mmsegmentation(scores: Scores, evaluation: Evaluation) -> list[Way]:
    window = {"crop_size": evaluation.crop_size, "stride": evaluation.stride}
    ways = [Way("single", TestSettings(**window, protocol="mmseg"), scores.single)]
    if evaluation.ms_ratios:
        many = TestSettings(scales=evaluation.ms_ratios, flip_horizontal=True, **window, protocol="mmseg")
        ways.append(Way("ms_flip", many, scores.ms_flip))
    return ways


def within(measured: float, published: float) -> bool:
    """Whether a score in per cent counts as the published one."""
    return round(abs(measured - published), 6) <= TOLERANCE

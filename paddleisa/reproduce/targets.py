"""The ways in which a row is measured, and the published number that each is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from paddleisa.inference.protocols import DEFAULT
from paddleisa.inference.settings import InferenceSettings
from paddleisa.zoo.catalogue.catalogue import Entry
from paddleisa.zoo.catalogue.schema import Evaluation, Scores

Name = Literal["single", "flip", "ms_flip"]

TOLERANCE = 0.05  # points of mIoU
TITLES = {"single": "single scale", "flip": "flip", "ms_flip": "ms + flip"}
_AUGMENTATION: dict[Name, dict[str, Any]] = {
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
    settings: InferenceSettings
    published: float | None

    @property
    def protocol(self) -> str:
        """How test-time augmentation is done; see :mod:`paddleisa.inference.protocols`."""
        return self.settings.protocol

    @property
    def key(self) -> str:
        """``paddleseg-2021/single`` and so on."""
        return f"{self.protocol}/{self.name}"


def ways_of(entry: Entry) -> list[Way]:
    """Three ways under each protocol that the row's scores name; or those of the row's own ``evaluation``.

    The first protocol is the one that measured single and flip too. A row that gives one ``ms_flip`` is held, in all
    three scores, against the default protocol, which is what ``val`` computes unless told otherwise, and measured
    under PaddleSeg's earlier one besides.
    """
    scores, evaluation = entry.row.scores, entry.row.evaluation
    if evaluation is not None:
        return _own(scores, evaluation)
    first: dict[str, float | None] = {"single": scores.single, "flip": scores.flip}
    by_protocol: dict[str, dict[str, float | None]] = {
        name: {**(first if number == 0 else {}), "ms_flip": score}
        for number, (name, score) in enumerate(scores.ms_flip_by_protocol.items())
    }
    by_protocol = by_protocol or {"paddleseg-2021": {}, DEFAULT: {**first, "ms_flip": scores.ms_flip_alone}}
    return [
        Way(name, InferenceSettings(**augmentation, protocol=protocol), targets.get(name))
        for protocol, targets in by_protocol.items()
        for name, augmentation in _AUGMENTATION.items()
    ]


def _own(scores: Scores, evaluation: Evaluation) -> list[Way]:
    window: dict[str, Any] = {"crop_size": evaluation.crop_size, "stride": evaluation.stride}
    protocol = evaluation.protocol
    ways = [Way("single", InferenceSettings(**window, protocol=protocol), scores.single)]
    if evaluation.ms_ratios:
        many = InferenceSettings(scales=evaluation.ms_ratios, flip_horizontal=True, **window, protocol=protocol)
        ways.append(Way("ms_flip", many, scores.ms_flip_alone))
    return ways


def within(measured: float, published: float) -> bool:
    """Whether a score in per cent counts as the published one."""
    return round(abs(measured - published), 6) <= TOLERANCE

"""What a row's evaluation gave, held against what was published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from paddleisa.evaluation.evaluate import is_generated
from paddleisa.evaluation.metrics import Scores
from paddleisa.reproduce.accumulator import Tally
from paddleisa.reproduce.preflight import Job
from paddleisa.reproduce.targets import TITLES, TOLERANCE, Way, within
from paddleisa.utils.files import plain_number

Verdict = Literal["reproduced", "not reproduced", "quick look"]


@dataclass(frozen=True)
class Measured:
    """One way's scores.

    Attributes:
        matrix: (K, K) counts that the scores come from.
        percent: mIoU in per cent, not rounded.
        difference: ``percent`` minus the published number, None where nobody published one.
        ok: whether that is within the tolerance, None likewise.
    """

    way: Way
    scores: Scores
    matrix: np.ndarray

    @property
    def percent(self) -> float:
        return 100 * self.scores.miou

    @property
    def difference(self) -> float | None:
        return None if self.way.published is None else self.percent - self.way.published

    @property
    def ok(self) -> bool | None:
        return None if self.way.published is None else within(self.percent, self.way.published)

    @property
    def cells(self) -> list[str]:
        """Way, protocol, measured, published, difference, mark: one line of the table, as text."""
        numbers = ["", "", ""]
        if self.way.published is not None:
            numbers = [f"{self.way.published:.2f}", f"{self.difference:+.2f}", "ok" if self.ok else "differs"]
        return [TITLES[self.way.name], self.way.protocol, f"{self.percent:.2f}", *numbers]


HEADER = ["way", "protocol", "measured", "published", "difference", ""]


@dataclass(frozen=True)
class Outcome:
    """A row's result.

    Attributes:
        job: the row with its config, data and weights.
        tally: what was counted.
        device: paddle's name of where it was computed.
        engine: what computed it there, and in which precision.
        limited: whether only the first images were asked for, be they all that there are.
    """

    job: Job
    tally: Tally
    device: str
    engine: str
    limited: bool = False

    @property
    def measured(self) -> list[Measured]:
        """The ways with their scores, the published protocol first."""
        pairs = zip(self.job.ways, self.tally.matrices, strict=True)
        return [Measured(way, Scores.from_matrix(matrix, way.protocol), matrix) for way, matrix in pairs]

    @property
    def of(self) -> int:
        """Number of images in the data set."""
        return len(self.job.dataset)

    @property
    def verdict(self) -> Verdict:
        """Only the whole data set can be a reproduction, and only if every score is within the tolerance."""
        if self.limited or self.tally.images != self.of:
            return "quick look"
        return "reproduced" if all(item.ok is not False for item in self.measured) else "not reproduced"

    @property
    def sentence(self) -> str:
        """The verdict in words, and whether the images were real."""
        return self._verdict + (". GENERATED data: no score of the real one" if is_generated(self.job.dataset) else "")

    @property
    def _verdict(self) -> str:
        if self.verdict == "quick look":
            return (
                f"QUICK LOOK at {self.tally.images} of {self.of} images: not a reproduction, whatever the numbers say"
            )
        compared = [item.ok for item in self.measured if item.ok is not None]
        if self.verdict == "reproduced":
            return f"REPRODUCED: all {len(compared)} published scores within {TOLERANCE} points, {self.of} images"
        return (
            f"NOT REPRODUCED: {compared.count(False)} of {len(compared)} published scores missed by more than "
            f"{TOLERANCE} points, {self.of} images"
        )

    def examples(self) -> dict[str, list[dict]]:
        """Best and worst images: number, path, and mean IoU of the classes in label or mask, single scale."""
        return {kind: [self._example(n) for n in getattr(self.tally, kind)()] for kind in ("best", "worst")}

    def _example(self, number: int) -> dict:
        image, label = self.job.dataset.samples[number]
        return {"number": number, "image": image, "label": label, "miou": float(self.tally.image_scores[number][0])}

    def to_dict(self) -> dict[str, object]:
        """Everything, as plain data for JSON. Scores are in 0..1, ``measured`` and what it is compared with in %."""
        job, tally = self.job, self.tally
        return {
            "model": job.entry.name,
            "verdict": self.verdict,
            "images": tally.images,
            "images_in_dataset": self.of,
            "tolerance": TOLERANCE,
            "config": job.config.name,
            "config_digest": job.config.digest(),
            "config_changes": job.changes,
            "dataset": type(job.dataset).__name__,
            "dataset_digest": job.data_digest,
            "weights": str(job.weights),
            "weights_sha256": job.sha256,
            "weights_origin": job.weights_origin,
            "scores_origin": job.entry.scores_origin,
            "class_names": list(job.dataset.class_names),
            "scores": [
                {
                    "way": item.way.name,
                    "protocol": item.way.protocol,
                    "measured": plain_number(item.percent),
                    "published": item.way.published,
                    "difference": item.difference,
                    "within_tolerance": item.ok,
                    "confusion_matrix": item.matrix.tolist(),
                    **item.scores.to_dict(),
                }
                for item in self.measured
            ],
            **self.examples(),
            "seconds": tally.seconds,
            "seconds_per_image": tally.seconds / max(tally.images, 1),
            "device": self.device,
            "engine": self.engine,
        }

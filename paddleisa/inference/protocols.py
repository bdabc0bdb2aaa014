"""Evaluation protocols as data: by which rules forward passes become a mask, and masks a score.

Published scores can be met only by the rules that they were measured with, and these have changed over the years (the
README's two ms+flip columns are the same weights under two of them). To add a protocol, add an entry to `PROTOCOLS`:
`val`, `predict`, the config check, the metrics, `reproduce` and the catalogue all ask here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from paddleisa.errors import UsageError, one_of


@dataclass(frozen=True)
class Protocol:
    """One set of rules.

    Attributes:
        name: by origin, the project and where needed the year of its code.
        about: one clause for help texts and reports.
        cascade: each scale's image is resized from the scale before it, instead of from the prepared image.
        rounding: added to a scaled side before its fraction is cut off.
        softmax_before_sum: views are summed as probabilities instead of as logits.
        resolve_at: where the class is chosen. ``prepared``: at the prepared image's size, and the mask is brought to
            the image's size by nearest neighbours; ``image``: at the image's size, to which logits go back through the
            transforms one by one; ``image_at_once``: likewise, but in one resize where the transforms only resized.
        align_corners: whether the resize of logits aligns corners: never, as the model does, or always.
        views_align_corners: whether the resize of the image to a scale does.
        cubic: whether logits go back to the image's size by cubic interpolation, as OpenCV's, instead of bilinear.
        absent_iou: IoU of a class that neither occurs nor is predicted; NaN leaves it out of the mean.
        aliases: further names that are accepted.
    """

    name: str
    about: str
    cascade: bool = False
    rounding: float = 0.5
    softmax_before_sum: bool = False
    resolve_at: Literal["prepared", "image", "image_at_once"] = "image"
    align_corners: Literal["never", "model", "always"] = "never"
    views_align_corners: bool = False
    cubic: bool = False
    absent_iou: float = 1.0
    aliases: tuple[str, ...] = ()

    @property
    def absent_rule(self) -> str:
        """What an absent class does to the mean, in words."""
        return "is left out of" if math.isnan(self.absent_iou) else f"counts as {self.absent_iou:g} in"

    @property
    def label(self) -> str:
        """The name with its aliases, for help texts and tables."""
        return f"{self.name} ({', '.join(self.aliases)})" if self.aliases else self.name


DEFAULT = "paddleseg-2023"
PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        # PaddleSeg's commit df178c29 (January 2021), whose code measured the published table.
        Protocol(
            name="paddleseg-2021",
            about="as PaddleSeg's table of 2021 was measured",
            cascade=True,
            softmax_before_sum=True,
            resolve_at="prepared",
            absent_iou=0.0,
            aliases=("published",),
        ),
        # PaddleSeg's pull request 2933 (February 2023); absent classes count as 1 since 2022.
        Protocol(name=DEFAULT, about="as PaddleSeg computes since 2023", aliases=("corrected",)),
        # mmsegmentation's EncoderDecoder.inference and its IoU metric, for its checkpoints.
        Protocol(
            name="mmseg",
            about="as mmsegmentation computes, for its checkpoints",
            rounding=0.0,
            softmax_before_sum=True,
            resolve_at="image_at_once",
            align_corners="model",
            absent_iou=math.nan,
        ),
        # openseg.pytorch's segmentor/tester.py (ss_test, ms_test) and RunningScore, of ISA's authors.
        Protocol(
            name="openseg",
            about="as ISA's authors compute, for their checkpoints and recipes",
            rounding=0.0,
            align_corners="always",
            views_align_corners=True,
            cubic=True,
            absent_iou=math.nan,
        ),
    )
}


def protocol_names() -> list[str]:
    """Every accepted name, aliases last."""
    return [*PROTOCOLS, *(alias for protocol in PROTOCOLS.values() for alias in protocol.aliases)]


def protocol_of(name: str) -> Protocol:
    """The protocol that ``name`` or an alias names.

    Raises:
        UsageError: there is none; names the nearest.
    """
    for protocol in PROTOCOLS.values():
        if name == protocol.name or name in protocol.aliases:
            return protocol
    raise UsageError(f"there is no protocol {name!r}", where="--protocol", fix=one_of(str(name), protocol_names()))


def protocol_help() -> str:
    """Every protocol with its names and what it is, for help texts."""
    return "; ".join(f"{protocol.label}: {protocol.about}" for protocol in PROTOCOLS.values())

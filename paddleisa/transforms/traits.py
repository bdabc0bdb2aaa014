"""What a transform says of itself, so that a config can be judged before anything runs.

    @TRANSFORMS.register
    class RandomGamma:
        traits = Traits(random=True, values="bytes")

Where options decide, ``traits`` is a function of them (all of them, defaults included) instead. A class without
``traits`` is taken as it is: nothing is refused, nothing is said about its normalisation, and a warning tells so where
it stands in evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Traits:
    """What a transform does to a sample.

    Attributes:
        random: whether it draws random numbers.
        geometry: ``kept`` where every pixel stays at its place; ``recorded`` where the image is resized, or padded at
            the right and bottom, and ``trans_info`` says so, which inference undoes; ``lost`` where there is no way
            back (flips, crops, rotations).
        values: ``any`` range will do; ``bytes`` where only 0..255 makes sense; ``normalized`` for what turns 0..255
            into the network's range.
    """

    random: bool = False
    geometry: Literal["kept", "recorded", "lost"] = "kept"
    values: Literal["any", "bytes", "normalized"] = "any"


def traits_of(cls: type, options: Mapping[str, object]) -> Traits | None:
    """What ``cls`` says of itself with these options, defaults included; None where it says nothing."""
    traits = getattr(cls, "traits", None)
    found = traits(options) if callable(traits) else traits
    return found if isinstance(found, Traits) else None

"""What a transform says of itself, so that a config can be judged before anything runs.

    @TRANSFORMS.register
    class RandomGamma:
        traits = Traits(random=True, values="bytes")

A class without ``traits`` is taken as it is: nothing is refused, and nothing is said about its normalisation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

Options = Mapping[str, object]


@dataclass(frozen=True)
class Traits:
    """What a transform does to a sample, as far as its options decide it.

    Attributes:
        random: whether it draws random numbers; a function of the options (defaults included) where they decide.
        geometry: ``kept`` where every pixel stays at its place; ``recorded`` where the image is resized, or padded at
            the right and bottom, and ``trans_info`` says so, which inference undoes; ``lost`` where there is no way
            back (flips, crops, rotations).
        values: ``any`` range will do; ``bytes`` where only 0..255 makes sense; ``normalized`` for what turns 0..255
            into the network's range.
    """

    random: bool | Callable[[Options], bool] = False
    geometry: Literal["kept", "recorded", "lost"] | Callable[[Options], str] = "kept"
    values: Literal["any", "bytes", "normalized"] = "any"

    def of(self, options: Options) -> Traits:
        """The traits of a transform with these options, without functions."""
        random = self.random(options) if callable(self.random) else self.random
        geometry = self.geometry(options) if callable(self.geometry) else self.geometry
        return replace(self, random=random, geometry=geometry)


def traits_of(cls: type, options: Options) -> Traits | None:
    """What ``cls`` says of itself with these options (all of them, defaults included); None where it says nothing."""
    traits = getattr(cls, "traits", None)
    return traits.of(options) if isinstance(traits, Traits) else None

"""How one image is evaluated: scales, flips, sliding window, protocol; from a config, from options, from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from paddleisa.errors import UsageError
from paddleisa.inference import protocols
from paddleisa.inference.protocols import Protocol, protocol_of
from paddleisa.inference.views import Size, View, views

# Larger images are computed in windows, so that memory does not grow with them: four frames of Cityscapes.
WHOLE_PIXELS = 4 * 1025 * 2049
LARGE_WINDOW, LARGE_STRIDE = (2049, 1025), (1537, 769)  # width, height
LARGEST_SCALE = 16  # beyond every use; memory grows with its square

_AUGMENTATION = ("scales", "flip_horizontal", "flip_vertical")
_WINDOW = ("crop_size", "stride")


@dataclass(frozen=True)
class InferenceSettings:
    """How one image is evaluated.

    Args:
        scales: factors on the prepared image's height and width.
        flip_horizontal, flip_vertical: add the mirrored image; with both, all four combinations.
        crop_size, stride: (width, height) of the sliding window and of its steps; None for whole images.
        protocol: a name or alias of :mod:`paddleisa.inference.protocols`; kept as the name.
        swapped_labels: pairs of classes that a mirror turns into each other, such as left and right arm; the logits of
            the image mirrored horizontally have them exchanged.

    Raises:
        UsageError: values that cannot be used.
    """

    scales: tuple[float, ...] = (1.0,)
    flip_horizontal: bool = False
    flip_vertical: bool = False
    crop_size: tuple[int, int] | None = None
    stride: tuple[int, int] | None = None
    protocol: str = protocols.DEFAULT
    swapped_labels: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "protocol", protocol_of(self.protocol).name)
        if not self.scales or not all(0 < scale <= LARGEST_SCALE for scale in self.scales):
            raise UsageError(
                f"scales {list(self.scales)} must be positive and at most {LARGEST_SCALE}",
                where="--scales",
                fix="Write 0.75 1.0 1.25",
            )
        window, stride = self.crop_size, self.stride
        if (window is None) != (stride is None):
            raise _half_a_window()
        if window and stride and not all(0 < s <= c for s, c in zip(stride, window, strict=True)):
            problem = f"stride {list(stride)} must be positive and at most crop_size {list(window)}"
            raise UsageError(f"{problem}, or pixels are left out", where="--stride")

    @property
    def rules(self) -> Protocol:
        """The protocol itself."""
        return protocol_of(self.protocol)

    @property
    def flips(self) -> list[tuple[int, ...]]:
        """Axes to mirror, one entry for each forward pass of a scale."""
        mirrored = {2: self.flip_vertical, 3: self.flip_horizontal}
        return [axes for axes in ((), (3,), (2,), (2, 3)) if all(mirrored[axis] for axis in axes)]

    @property
    def is_single(self) -> bool:
        """One forward pass at the prepared image's own size (or one sweep of the sliding window)."""
        return self.scales == (1.0,) and len(self.flips) == 1

    def views(self, size: Size) -> list[View]:
        """The network's inputs for a prepared image of ``size`` (height, width), in order."""
        rules = self.rules
        found = views(
            size,
            self.scales,
            self.flips,
            cascaded=rules.cascade,
            rounding=rules.rounding,
            align_corners=rules.views_align_corners,
        )
        return [replace(view, window=self._window(view.sizes[-1] if view.sizes else size)) for view in found]

    def note(self, size: Size) -> str | None:
        """What a user should know of how an image of ``size`` (height, width) is computed; None if there is nothing."""
        if self.crop_size is not None or all(view.window is None for view in self.views(size)):
            return None
        width, height = LARGE_WINDOW
        return (
            f"{size[1]}x{size[0]} pixels are computed in windows of {width}x{height}, because whole they need more "
            "memory than there may be; --is_slide sets other windows"
        )

    def describe(self) -> str:
        """One line: ``scales 0.75 1 1.25, flip horizontal, whole images, protocol paddleseg-2023``."""
        scales = "scale" + "s" * (len(self.scales) > 1) + " " + " ".join(f"{scale:g}" for scale in self.scales)
        mirrored = [name for name in ("horizontal", "vertical") if getattr(self, f"flip_{name}")]
        flips = f"flip {' and '.join(mirrored)}" if mirrored else "no flip"
        if self.flip_horizontal and self.swapped_labels:
            flips += f" (classes exchanged: {', '.join(f'{one}-{other}' for one, other in self.swapped_labels)})"
        window = (
            "whole images"
            if self.crop_size is None or self.stride is None
            else "window {}x{}, stride {}x{}".format(*self.crop_size, *self.stride)
        )
        return f"{scales}, {flips}, {window}, protocol {self.protocol}"

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def _window(self, size: Size) -> tuple[Size, Size] | None:
        if self.crop_size is not None and self.stride is not None:
            return self.crop_size, self.stride
        return (LARGE_WINDOW, LARGE_STRIDE) if size[0] * size[1] > WHOLE_PIXELS else None


def inference_settings(
    test_config: Mapping[str, Any] | None, overrides: Mapping[str, Any] | None = None
) -> InferenceSettings:
    """The settings of a config's ``test_config``, changed by ``overrides``: the only place that reads either.

    `val`, `predict`, :class:`~paddleisa.predictor.Predictor` and the evaluations during training all call this, so
    they measure alike.

    Args:
        test_config: of a checked config (PaddleSeg's keys and ``protocol``); None for an empty one. Its scales and
            flips count with ``aug_eval`` only, its window with ``is_slide`` only, as in PaddleSeg.
        overrides: by the same names; None and False are not given. Scales or flips imply ``aug_eval``, a size or
            stride implies ``is_slide``. Other keys are left alone.

    Raises:
        UsageError: values that cannot be used.
    """
    given = dict(test_config or {})
    changes = {key: value for key, value in (overrides or {}).items() if value is not None and value is not False}
    augmented = bool(given.get("aug_eval") or any(key in changes for key in ("aug_eval", *_AUGMENTATION)))
    sliding = bool(given.get("is_slide") or any(key in changes for key in ("is_slide", *_WINDOW)))
    given.update(changes)
    used = {key: given[key] for key in _AUGMENTATION if augmented and given.get(key) is not None}
    if sliding:
        if any(given.get(key) is None for key in _WINDOW):
            raise _half_a_window()
        used |= {key: tuple(given[key]) for key in _WINDOW}
    if given.get("swapped_labels"):
        used["swapped_labels"] = tuple((one, other) for one, other in given["swapped_labels"])
    if "scales" in used:
        used["scales"] = _numbers(used["scales"])
    return InferenceSettings(**used, protocol=given.get("protocol") or protocols.DEFAULT)


def _half_a_window() -> UsageError:
    problem, fix = "a sliding window needs its size and its stride", "Give --crop_size W H and --stride W H"
    return UsageError(problem, where="--is_slide", fix=fix)


def unused_settings(
    test_config: Mapping[str, object] | None, overrides: Mapping[str, object] | None = None
) -> list[str]:
    """A sentence for each switch that is on and changes nothing; see `inference_settings`."""
    augmented = bool({**(test_config or {}), **(overrides or {})}.get("aug_eval"))
    if augmented and inference_settings(test_config, overrides).is_single:
        return ["aug_eval alone changes nothing: give scales or flips with it"]
    return []


def _numbers(scales: float | Sequence[float]) -> tuple[float, ...]:
    return (float(scales),) if isinstance(scales, int | float) else tuple(float(scale) for scale in scales)

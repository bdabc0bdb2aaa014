"""Wrong label values and what they usually mean: each pattern recognised, named, and told how to repair."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from paddleisa.data.prepare.cityscapes_ids import ID_OF_TRAIN_ID, NUM_IDS
from paddleisa.visual.palette import PALETTES

_RECIPE = "docs/data.md has a recipe for converting them"


class Pattern(NamedTuple):
    """A kind of ``findings.KINDS``, the problem and the fix."""

    kind: str
    problem: str
    fix: str


class Ids(NamedTuple):
    """What a config says about label values."""

    num_classes: int
    ignore_index: int
    palette: np.ndarray


def wrong_values(values: set[int], ids: Ids) -> list[int]:
    """Those of ``values`` that are neither a class nor ignored."""
    return sorted(value for value in values if value >= ids.num_classes and value != ids.ignore_index)


def name_values(values: set[int], ids: Ids) -> Pattern | None:
    """The pattern behind the values of one label, or of all labels of a set together; None when they are fine.

    Args:
        values: all values that occur.
        ids: what the config says.
    """
    wrong = wrong_values(values, ids)
    if not wrong:
        return None
    rules = (_binary, _ignored, _label_ids, _one_based, _stretched, _grey_shades)
    return next((found for rule in rules if (found := rule(values, wrong, ids))), None) or _too_large(wrong, ids)


def name_mask(values: set[int], ids: Ids) -> Pattern | None:
    """0/255 masks where 255 is the ignored value: legal numbers, of which nothing can be learned."""
    if values == {0, 255} and ids.ignore_index == 255:
        return Pattern(
            "label_0_255",
            "the values are 0 and 255 only, and 255 is ignored: no class but 0 is ever seen",
            f"Write 1 for 255 (label // 255); {_RECIPE}",
        )
    return None


def name_colours(colours: list[str], ids: Ids) -> Pattern:
    """Whose colours a colour mask shows."""
    palettes = {"this data set": ids.palette, **{name: make() for name, make in PALETTES.items()}}
    seen = set(colours) - {"000000", "ffffff", "e0e0c0"}  # the usual colours of what is ignored
    for name, palette in palettes.items():
        if seen and seen <= {bytes(colour).hex() for colour in np.asarray(palette, np.uint8)}:
            extra = "; Cityscapes has *_labelIds.png for the same images" if name == "cityscapes" else ""
            fix = f"Write the number of each colour's class instead of the colour{extra}; {_RECIPE}"
            return Pattern("label_colours", f"is an RGB colour mask in the colours of {name}, not class ids", fix)
    if all(colour[:2] == colour[2:4] == colour[4:] for colour in colours):
        values = {int(colour[:2], 16) for colour in colours}
        if not wrong_values(values, ids):
            fix = "Save one channel only: label = image[:, :, 0]"
            return Pattern("label_colours", "is an RGB image with the class ids in all three channels", fix)
    many = "300 or more" if len(colours) >= 300 else str(len(colours))
    return Pattern(
        "label_colours",
        f"is an RGB image with {many} colours, not class ids",
        f"Make one 8-bit channel of class ids; {_RECIPE}",
    )


def _binary(values: set[int], wrong: list[int], ids: Ids) -> Pattern | None:
    if wrong == [255] and values <= {0, 255}:
        return Pattern("label_0_255", "the values are 0 and 255", f"Write 1 for 255 (label // 255); {_RECIPE}")
    return None


def _ignored(values: set[int], wrong: list[int], ids: Ids) -> Pattern | None:
    if wrong == [255]:
        fix = "255 usually marks pixels that do not count: set ignore_index: 255 in the config"
        return Pattern("label_255", f"holds 255, and ignore_index is {ids.ignore_index}", fix)
    return None


def _label_ids(values: set[int], wrong: list[int], ids: Ids) -> Pattern | None:
    inside = values - {ids.ignore_index}
    if ids.num_classes != len(ID_OF_TRAIN_ID) or max(inside) >= NUM_IDS:
        return None
    return Pattern(
        "label_ids",
        f"holds {max(inside)}: these are Cityscapes' labelIds (0 to 33), not the 19 trainIds",
        "Run: paddleisa prepare cityscapes ROOT, and name the *_labelTrainIds.png",
    )


def _one_based(values: set[int], wrong: list[int], ids: Ids) -> Pattern | None:
    if wrong != [ids.num_classes]:
        return None
    if 0 not in values:
        text, fix = "there is no 0", f"Subtract 1 from every value but {ids.ignore_index}"
    else:
        text = "0 may stand for unlabelled pixels"
        fix = f"Subtract 1 from every value and write {ids.ignore_index} for 0, or correct num_classes"
    return Pattern(
        "label_one_based",
        f"holds {ids.num_classes} with {ids.num_classes} classes: counted from 1; {text}",
        f"{fix}; {_RECIPE}",
    )


def _stretched(values: set[int], wrong: list[int], ids: Ids) -> Pattern | None:
    for top in {ids.num_classes - 1, ids.num_classes}:
        step = 255 // top if top else 0
        if step > 1 and len(values) > 2 and all(value % step == 0 for value in values - {255}):
            fix = f"Divide every value by {step}; {_RECIPE}"
            return Pattern(
                "label_stretched", f"holds multiples of {step}: class ids stretched to 0..255 for viewing", fix
            )
    return None


def _grey_shades(values: set[int], wrong: list[int], ids: Ids) -> Pattern | None:
    palettes = {"this data set": ids.palette, **{name: make() for name, make in PALETTES.items()}}
    for name, palette in palettes.items():
        red, green, blue = np.asarray(palette, np.int64).T
        shades = {int(grey) for grey in (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16}  # ITU-R 601-2
        seen = values - {0, 255, 220}
        if len(seen) > 1 and seen <= shades:
            fix = f"Take the palette PNGs that they were made from, or map each shade back to its class; {_RECIPE}"
            problem = f"holds the shades of grey of {name}'s colours: a palette PNG was converted to greyscale"
            return Pattern("label_grey_shades", problem, fix)
    return None


def _too_large(wrong: list[int], ids: Ids) -> Pattern:
    shown = ", ".join(map(str, wrong[:6])) + (", ..." if len(wrong) > 6 else "")
    values = "value" if len(wrong) == 1 else "values"
    classes = f"{ids.num_classes} classes, 0 to {ids.num_classes - 1}, and {ids.ignore_index} is ignored"
    return Pattern(
        "class_too_large",
        f"the label holds {values} {shown}, but there are {classes}",
        "Map the labels to class ids, or correct num_classes or ignore_index",
    )

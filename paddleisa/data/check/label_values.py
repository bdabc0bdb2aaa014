"""Wrong label values and what they usually mean: each pattern recognised, named, and told how to repair."""

from __future__ import annotations

import numpy as np

from paddleisa.datasets.cityscapes import ID_OF_TRAIN_ID, NUM_IDS
from paddleisa.datasets.classes import IGNORED, Classes, named_palettes
from paddleisa.datasets.inventory import Problem

_RECIPE = "`paddleisa prepare labels` converts them"


def name_values(values: set[int], classes: Classes) -> Problem | None:
    """The pattern behind the values of one label, or of all labels of a set together; None when they are fine.

    Args:
        values: all values that occur.
        classes: what the config says.
    """
    wrong = classes.wrong(values)
    if not wrong:
        return None
    # Where files count from 1 by agreement, the data set is somebody else's: no advice to change its files.
    rules = () if classes.reduce_zero_label else (_binary, _ignored, _label_ids, _one_based, _stretched, _grey_shades)
    return next((found for rule in rules if (found := rule(values, wrong, classes))), None) or _too_large(
        wrong, classes
    )


def name_mask(values: set[int], classes: Classes) -> Problem | None:
    """0/255 masks where 255 is the ignored value: legal numbers, of which nothing can be learned."""
    if values == {0, 255} and classes.ignore_index == 255 and not classes.reduce_zero_label:
        return Problem(
            "label_0_255",
            "the values are 0 and 255 only, and 255 is ignored: no class but 0 is ever seen",
            f"Write 1 for 255 (label // 255); {_RECIPE}",
        )
    return None


def name_colours(colours: list[str], classes: Classes) -> Problem:
    """Whose colours a colour mask shows."""
    seen = set(colours) - {"000000", "ffffff", "e0e0c0"}  # the usual colours of what is ignored
    for name, palette in _palettes(classes).items():
        if seen and seen <= {bytes(colour).hex() for colour in np.asarray(palette, np.uint8)}:
            extra = "; Cityscapes has *_labelIds.png for the same images" if name == "cityscapes" else ""
            fix = f"Write the number of each colour's class instead of the colour{extra}; {_RECIPE}"
            return Problem("label_colours", f"is an RGB colour mask in the colours of {name}, not class ids", fix)
    grey = all(colour[:2] == colour[2:4] == colour[4:] for colour in colours)
    if grey and not classes.wrong({int(colour[:2], 16) for colour in colours}):
        fix = "Save one channel only: label = image[:, :, 0]"
        return Problem("label_colours", "is an RGB image with the class ids in all three channels", fix)
    many = "300 or more" if len(colours) >= 300 else str(len(colours))
    fix = f"Make one 8-bit channel of class ids; {_RECIPE}"
    return Problem("label_colours", f"is an RGB image with {many} colours, not class ids", fix)


def _palettes(classes: Classes) -> dict[str, np.ndarray]:
    return {"this data set": classes.palette, **named_palettes()}


def _binary(values: set[int], wrong: list[int], classes: Classes) -> Problem | None:
    if wrong == [255] and values <= {0, 255}:
        return Problem("label_0_255", "the values are 0 and 255", f"Write 1 for 255 (label // 255); {_RECIPE}")
    return None


def _ignored(values: set[int], wrong: list[int], classes: Classes) -> Problem | None:
    if wrong == [255]:
        fix = "255 usually marks pixels that do not count: set ignore_index: 255 in the config"
        return Problem("label_255", f"holds 255, and ignore_index is {classes.ignore_index}", fix)
    return None


def _label_ids(values: set[int], wrong: list[int], classes: Classes) -> Problem | None:
    inside = values - {classes.ignore_index}
    if len(classes) != len(ID_OF_TRAIN_ID) or max(inside) >= NUM_IDS:
        return None
    return Problem(
        "label_ids",
        f"holds {max(inside)}: these are Cityscapes' labelIds (0 to 33), not the 19 trainIds",
        "Run: paddleisa prepare cityscapes ROOT, and name the *_labelTrainIds.png",
    )


def _one_based(values: set[int], wrong: list[int], classes: Classes) -> Problem | None:
    count = len(classes)
    if wrong != [count]:
        return None
    problem = f"holds {count} with {'1 class' if count == 1 else f'{count} classes'}"
    more, shift = f"num_classes: {count + 1}", "reduce_zero_label: true"
    if 0 not in values:
        return Problem("label_one_based", f"{problem}, and no 0: counted from 1", f"Set {shift} in the config")
    if count == 1:
        fix = f"{more}, for the background counts as a class"
    else:
        fix = f"Set {shift} in the config, or {more} if 0 is a class (a background counts as one)"
    return Problem("label_one_based", f"{problem}: counted from 1, or 0 stands for pixels without a label", fix)


def _stretched(values: set[int], wrong: list[int], classes: Classes) -> Problem | None:
    for top in {len(classes) - 1, len(classes)}:
        step = 255 // top if top else 0
        if step > 1 and len(values) > 2 and all(value % step == 0 for value in values - {255}):
            problem = f"holds multiples of {step}: class ids stretched to 0..255 for viewing"
            return Problem("label_stretched", problem, f"Divide every value by {step}; {_RECIPE}")
    return None


def _grey_shades(values: set[int], wrong: list[int], classes: Classes) -> Problem | None:
    seen = values - {0, 220, IGNORED}
    for name, palette in _palettes(classes).items():
        red, green, blue = np.asarray(palette, np.int64).T
        shades = {int(grey) for grey in (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16}  # ITU-R 601-2
        if len(seen) > 1 and seen <= shades:
            fix = "Take the palette PNGs that they were made from, or map each shade back to its class"
            problem = f"holds the shades of grey of {name}'s colours: a palette PNG was converted to greyscale"
            return Problem("label_grey_shades", problem, fix)
    return None


def _too_large(wrong: list[int], classes: Classes) -> Problem:
    fix = "Map the labels to class ids, or correct num_classes or ignore_index"
    if classes.reduce_zero_label:
        fix = "Unpack the label again, or correct num_classes or reduce_zero_label"
    return Problem("class_too_large", classes.complaint(wrong), fix)

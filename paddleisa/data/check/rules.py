"""From the names in a split's lists, and from what is known of its files, to what is wrong with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from paddleisa.data.check.label_values import name_colours, name_mask, name_values
from paddleisa.data.check.split import Split
from paddleisa.data.check.stats import LabelStats
from paddleisa.datasets.classes import Classes
from paddleisa.datasets.inventory import Level, Problem

_MOST, _FEW = 0.8, 5  # something is "unlike the others" when 80 % of at least 5 agree on another value
_ENDINGS = re.compile(
    r"(_leftImg8bit|_gtFine|_gtCoarse|_labelTrainIds|_labelIds|[_-]?(masks?|labels?|seg|gt|annot|image|img)|_L)$",
    re.IGNORECASE,
)


def check_names(split: Split) -> None:
    """Add what is wrong with the lines of a list; nothing where no list names the samples."""
    if not split.places:
        return
    images = Counter(image for image, _ in split.rows)
    strange = []
    for number, (image, label) in enumerate(split.rows):
        place = split.places[number]
        if images.pop(image, 1) > 1:
            split.add("list_twice", place, f"{image} is listed more than once", row=number)
        if image == label:
            split.add("same_file", place, "image and label are the same file", row=number)
        strange += [name for name in (image, label or "") if not name.removeprefix(str(split.root)).isascii()]
    if strange:
        text = f"{len(strange)} names hold letters beyond ASCII: fine here, but archives and other programs change them"
        split.add("non_ascii", strange[0], text)
    _check_pairs(split)


def _check_pairs(split: Split) -> None:
    """Lines whose image and label are named alike, but for a few."""
    pairs = [(number, Path(image).stem, Path(label).stem) for number, (image, label) in enumerate(split.rows) if label]
    for alike in (lambda a, b: core(a) == core(b), lambda a, b: re.findall(r"\d+", a) == re.findall(r"\d+", b) != []):
        wrong = [(number, a, b) for number, a, b in pairs if not alike(a, b)]
        if len(wrong) <= (1 - _MOST) * len(pairs):
            for number, image, label in wrong:
                problem = f"pairs {image} with {label}; in the other lines the names belong together"
                split.add("swapped_label", split.places[number], problem, row=number)
            return


def core(stem: str) -> str:
    """A file's name without what says image or label: ``frame_07_mask`` and ``frame_07`` are one."""
    while (shorter := _ENDINGS.sub("", stem)) not in ("", stem):
        stem = shorter
    return stem


def check_files(split: Split) -> None:
    """Add to ``split.findings`` what is wrong with the files of its rows."""
    for number, sample in split.stats.items():
        if sample.image.trouble is not None:
            split.add_problem(sample.image.trouble, number, of_label=False)
        if sample.label is not None and (trouble := sample.label.trouble) is not None:
            if trouble.kind == "label_colours":
                trouble = name_colours(sample.label.colours, split.classes)
            split.add_problem(trouble, number, of_label=True)
    _values(split)
    _sizes(split)
    _unlike(split)
    _palettes(split)
    for number, label in split.labels.items():
        if label.stale:
            problem = f"{label.stale} pixels are not what the label that it was made from says"
            split.add("stale_train_ids", split.rows[number][1], problem, f"{split.prepare} --overwrite", number)
    _few_classes(split)


def check_set(split: Split, quick: bool = False) -> None:
    """Add what only the whole set shows: its count, and unless ``quick``, classes that never occur."""
    if split.expected is not None and len(split.rows) != split.expected and split.rows:
        fix = "Unpack the archives again" if split.by == "published" else "Generate the data again"
        problem = f"{len(split.rows)} images instead of the {split.by} {split.expected}"
        split.add("count", f"{split.root} ({split.mode})", problem, f"{fix}, unless a part is what you want")
    counts = split.counts
    known = {finding.kind for finding in split.findings}
    if quick or not sum(counts) or known & {"label_0_255", "one_class"}:
        return
    wanted = range(len(split.classes)) if split.expected_classes is None else split.expected_classes
    for number in wanted:
        if not counts[number]:
            problem = f"class {number} ({split.classes.names[number]}) occurs in no label"
            fix = "Its IoU will mean nothing: correct the labels, or leave the class out"
            if number == 0 and not split.classes.reduce_zero_label:
                fix = "If classes are counted from 1, set reduce_zero_label: true in the config"
            split.add("class_absent", f"{split.root} ({split.mode})", problem, fix)


def _few_classes(split: Split) -> None:
    """Data of which nothing can be learned: one class in the config or in the labels, or none."""
    where, usable = f"{split.root} ({split.mode})", split.labels.values()
    if len(split.classes) == 1:
        problem = "num_classes is 1: a network of one class answers 0 everywhere, so that there is nothing to learn"
        split.add("one_class", where, problem, "num_classes: 2, for the background counts as a class")
    seen = [number for number, pixels in enumerate(split.counts) if pixels]
    if not usable or any(f.kind.startswith("label_") or f.kind == "class_too_large" for f in split.findings):
        return
    looked = f"the {len(usable)} labels looked at"
    if not seen and all(_is_ignored(label, split.classes) for label in usable):
        level: Level = "error" if len(split.stats) == len(split.rows) else "warning"
        fix = "Correct ignore_index or the labels: without one labelled pixel nothing is learned or scored"
        split.add("nothing_labelled", where, f"every pixel of {looked} is ignored", fix, level=level)
    elif len(seen) == 1 < len(split.classes):
        problem = f"{looked} hold no class but {seen[0]} ({split.classes.names[seen[0]]})"
        fix = "With one class there is nothing to learn: look whether the labels are the right ones"
        split.add("one_class", where, problem, fix)


def _is_ignored(label: LabelStats, classes: Classes) -> bool:
    return all(classes.table()[value] == classes.ignore_index for value in label.counts)


def _values(split: Split) -> None:
    """Label values: a pattern of the whole set explains its files; otherwise each file is explained by itself."""
    classes, labels = split.classes, split.labels
    everything = {value for label in labels.values() for value in label.counts}
    common = name_mask(everything, classes) or _common(everything, classes, labels.values())
    for number, label in labels.items():
        values = set(label.counts)
        own = name_values(values, classes)
        if common is not None and (own is not None or (common.kind == "label_0_255" and 255 in values)):
            own = common
        if own is not None:
            split.add_problem(own, number, of_label=True)
        elif _is_ignored(label, classes):
            fix = "Label the image, or take its line out: nothing can be learned from it"
            split.add("no_class", split.rows[number][1], "every pixel is ignored", fix, number)
        elif (mask := name_mask(values, classes)) and label.counts[255] > 0.05 * sum(label.counts.values()):
            split.add_problem(mask, number, of_label=True, level="warning")


def _common(everything: set[int], classes: Classes, labels: Iterable[LabelStats]) -> Problem | None:
    """The set's pattern, if most labels are wrong in the way that their union is."""
    pattern = name_values(everything, classes)
    if pattern is None or pattern.kind == "class_too_large":
        return None
    own = [name_values(set(label.counts), classes) for label in labels]
    return pattern if sum(p is not None for p in own) > len(own) / 2 else None


def _sizes(split: Split) -> None:
    labels = split.labels
    for number, image in split.images.items():
        (image_path, label_path), label = split.rows[number], labels.get(number)
        if image.turned:
            fits = label is None or label.size == image.size
            problem = "carries an EXIF orientation, which is applied when it is read"
            fix = "Save it upright, without that tag: other programs show it as it is stored"
            split.add("exif", image_path, problem, fix, number, "warning" if fits else "error")
        if label is not None and label.size != image.size:
            (w, h), (width, height) = label.size, image.size
            fix = ""
            if label.size == image.plain_size:
                fix = "Save the image upright, without its EXIF orientation"
            elif w * height == h * width:
                fix = "Same proportions: one of the two was resized. Resize the label back with nearest neighbour"
            split.add("wrong_size", label_path, f"is {w}x{h} pixels, its image {width}x{height}", fix, number)


def _unlike(split: Split) -> None:
    """Images of another size or mode than nearly all others."""
    images = split.images
    usual_size, usual_mode = (_usual([getattr(f, name) for f in images.values()]) for name in ("size", "mode"))
    for number, image in images.items():
        path = split.rows[number][0]
        if usual_size and image.size != usual_size:
            problem = f"is {image.size[0]}x{image.size[1]} pixels, nearly all others {usual_size[0]}x{usual_size[1]}"
            split.add("odd_size", path, problem, row=number)
        if usual_mode and image.mode != usual_mode:
            fix = "It is read as 8-bit RGB: look whether it is right"
            split.add("image_mode", path, f"is {image.mode}, nearly all others {usual_mode}", fix, number)


def _palettes(split: Split) -> None:
    """Palette PNGs whose colour for a class is another one than in most labels, and those that lost their palette."""
    labels = split.labels
    usual_mode = _usual([label.mode for label in labels.values()])
    votes: dict[int, Counter] = {}
    for label in labels.values():
        for value, colour in label.palette.items():
            votes.setdefault(value, Counter())[colour] += 1
    usual = {value: _usual(list(counter.elements()), fewest=1) for value, counter in votes.items()}
    for number, label in labels.items():
        path = split.rows[number][1]
        if usual_mode and usual_mode.endswith("palette") and label.mode != usual_mode and not label.palette:
            fix = "Restore it from the original: its ids may be the same, but nobody can see them"
            split.add("palette_lost", path, f"is {label.mode}, nearly all others {usual_mode}", fix, number)
        shown = {value: colour for value, colour in label.palette.items() if value < len(split.classes)}
        odd = [value for value, colour in shown.items() if usual.get(value) not in (None, colour)]
        if odd:
            one, other = shown[odd[0]], usual[odd[0]]
            problem = f"shows class {odd[0]} as #{one}, the others as #{other}: its numbers may mean other classes"
            fix = "Restore it from the original: a program that saves fewer colours has renumbered it"
            split.add("palette_differs", path, problem, fix, number)


def _usual(values: list, fewest: int = _FEW) -> Any:
    """The value that nearly all agree on, None where there is none."""
    if len(values) < fewest:
        return None
    value, count = Counter(values).most_common(1)[0]
    return value if count >= _MOST * len(values) else None

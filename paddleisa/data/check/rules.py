"""From the facts about a split's files to what is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from paddleisa.data.check.inventory import Split
from paddleisa.data.check.label_patterns import Ids, Pattern, name_colours, name_mask, name_values
from paddleisa.data.check.sample_stats import Facts, ImageFacts, LabelFacts, Trouble

FactsByRow = dict[int, Facts]
_MOST, _FEW = 0.8, 5  # something is "unlike the others" when 80 % of at least 5 agree on another value


def judge(split: Split, facts: FactsByRow) -> None:
    """Add to ``split.findings`` what is wrong with the files of its rows."""
    usable: dict[int, LabelFacts] = {}
    for number, fact in facts.items():
        image_path, label_path = split.rows[number]
        _trouble(split, fact.image.trouble, image_path, number, "image")
        if fact.label is None:
            continue
        if fact.label.trouble is None:
            usable[number] = fact.label
        elif fact.label.trouble.kind == "label_colours":
            _note(split, name_colours(fact.label.colours, ids_of(split)), label_path, number)
        else:
            _trouble(split, fact.label.trouble, label_path, number, "label")
    _values(split, usable)
    _sizes(split, facts)
    _unlike(split, {n: f.image for n, f in facts.items() if f.image.trouble is None})
    _palettes(split, usable)
    for number, label in usable.items():
        if label.stale:
            fix = f"Run: paddleisa prepare cityscapes {split.root} --overwrite"
            problem = f"{label.stale} pixels are not what the labelIds beside it say"
            split.add("stale_train_ids", split.rows[number][1], problem, fix, number)


def judge_set(split: Split, facts: FactsByRow) -> None:
    """Add what only the whole set shows: its count, and classes that never occur."""
    if split.expected is not None and len(split.rows) != split.expected and split.rows:
        fix = "Unpack the archives again" if split.by == "published" else "Generate the data again"
        problem = f"{len(split.rows)} images instead of the {split.by} {split.expected}"
        split.add(
            "count", f"{split.root} ({split.mode})", problem, f"{fix}, unless a part is what you want", None, "warning"
        )
    counts = class_counts(split, facts)
    if not sum(counts) or any(f.kind == "label_0_255" for f in split.findings):
        return
    wanted = range(split.num_classes) if split.expected_classes is None else split.expected_classes
    for number in wanted:
        if not counts[number]:
            name = split.class_names[number]
            problem = f"class {number} ({name}) occurs in no label"
            fix = "Its IoU will mean nothing: correct the labels, or leave the class out"
            if number == 0:
                fix = "If classes are counted from 1, subtract 1 from the labels"
            split.add("class_absent", f"{split.root} ({split.mode})", problem, fix, None, "warning")


def class_counts(split: Split, facts: FactsByRow) -> list[int]:
    """Pixels of each class over all usable labels."""
    total: Counter = Counter()
    for fact in facts.values():
        if fact.label is not None and fact.label.trouble is None:
            total.update(fact.label.counts)
    if split.ignore_index < split.num_classes:
        total.pop(split.ignore_index, None)
    return [total[number] for number in range(split.num_classes)]


def ids_of(split: Split) -> Ids:
    """What the config says about label values."""
    return Ids(split.num_classes, split.ignore_index, split.palette)


def _note(split: Split, pattern: Pattern, file: str, number: int) -> None:
    split.add(pattern.kind, file, pattern.problem, pattern.fix, number)


def _trouble(split: Split, trouble: Trouble | None, file: str, number: int, what: str) -> None:
    if trouble is not None:
        kind = f"missing_{what}" if trouble.kind == "missing" else trouble.kind
        split.add(kind, file, trouble.problem, trouble.fix, number)


def _values(split: Split, labels: dict[int, LabelFacts]) -> None:
    """Label values: a pattern of the whole set explains its files; otherwise each file is explained by itself."""
    ids = ids_of(split)
    everything = {value for label in labels.values() for value in label.counts}
    common = name_mask(everything, ids) or _common(everything, ids, labels.values())
    for number, label in labels.items():
        path, values = split.rows[number][1], set(label.counts)
        own = name_values(values, ids)
        if common is not None and (own is not None or (common.kind == "label_0_255" and 255 in values)):
            own = common
        if own is not None:
            _note(split, own, path, number)
        elif values == {split.ignore_index}:
            fix = "Label the image, or take its line out: nothing can be learned from it"
            split.add("no_class", path, "every pixel is ignored", fix, number, "warning")
        elif (mask := name_mask(values, ids)) and label.counts[255] > 0.05 * sum(label.counts.values()):
            split.add(mask.kind, path, mask.problem, mask.fix, number, "warning")


def _common(everything: set[int], ids: Ids, labels: Iterable[LabelFacts]) -> Pattern | None:
    """The set's pattern, if most labels are wrong in the way that their union is."""
    pattern = name_values(everything, ids)
    if pattern is None or pattern.kind == "class_too_large":
        return None
    own = [name_values(set(label.counts), ids) for label in labels]
    return pattern if sum(p is not None for p in own) > len(own) / 2 else None


def _sizes(split: Split, facts: FactsByRow) -> None:
    for number, fact in facts.items():
        image, label = fact.image, fact.label
        image_path, label_path = split.rows[number]
        if image.trouble is not None:
            continue
        if image.turned:
            fix = "Save it upright, without that tag: other programs show it as it is stored"
            fits = label is None or label.trouble is not None or label.size == image.size
            problem = "carries an EXIF orientation, which is applied when it is read"
            split.add("exif", image_path, problem, fix, number, "warning" if fits else "error")
        if label is not None and label.trouble is None and label.size != image.size:
            (w, h), (width, height) = label.size, image.size
            fix = "Use the label that was made for this image"
            if label.size == image.plain_size:
                fix = "Save the image upright, without its EXIF orientation"
            elif w * height == h * width:
                fix = "Same proportions: one of the two was resized. Resize the label back with nearest neighbour"
            split.add("wrong_size", label_path, f"is {w}x{h} pixels, its image {width}x{height}", fix, number)


def _unlike(split: Split, images: dict[int, ImageFacts]) -> None:
    """Images of another size or mode than nearly all others."""
    usual_size, usual_mode = (_usual([getattr(f, name) for f in images.values()]) for name in ("size", "mode"))
    for number, image in images.items():
        path = split.rows[number][0]
        if usual_size and image.size != usual_size:
            problem = f"is {image.size[0]}x{image.size[1]} pixels, nearly all others {usual_size[0]}x{usual_size[1]}"
            split.add("odd_size", path, problem, "Make sure that it belongs here", number, "warning")
        if usual_mode and image.mode != usual_mode:
            problem = f"is {image.mode}, nearly all others {usual_mode}"
            split.add(
                "image_mode", path, problem, "It is read as 8-bit RGB: look whether it is right", number, "warning"
            )


def _palettes(split: Split, labels: dict[int, LabelFacts]) -> None:
    """Palette PNGs whose colour for a class is another one than in most labels, and those that lost their palette."""
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
            split.add("palette_lost", path, f"is {label.mode}, nearly all others {usual_mode}", fix, number, "warning")
        odd = [v for v, colour in label.palette.items() if v < split.num_classes and usual.get(v) not in (None, colour)]
        if odd:
            shown, right = label.palette[odd[0]], usual[odd[0]]
            problem = f"shows class {odd[0]} as #{shown}, the others as #{right}: its numbers may mean other classes"
            fix = "Restore it from the original: a program that saves fewer colours has renumbered it"
            split.add("palette_differs", path, problem, fix, number)


def _usual(values: list, fewest: int = _FEW) -> object | None:
    """The value that nearly all agree on, None where there is none."""
    if len(values) < fewest:
        return None
    value, count = Counter(values).most_common(1)[0]
    return value if count >= _MOST * len(values) else None

"""What a check can find: its kinds, and their order."""

from __future__ import annotations

from collections.abc import Iterable

from paddleisa.datasets.inventory import Finding

# kind: title of the group in reports. docs/data.md says more about each.
KINDS = {
    "data_set": "The data set cannot be opened",
    "list_missing": "List file missing",
    "list_encoding": "List file is not UTF-8",
    "list_empty": "List file names no image",
    "list_columns": "Line of a list with too few or too many columns",
    "list_crlf": "List file with Windows line ends",
    "list_twice": "Image listed twice",
    "non_ascii": "Names with letters beyond ASCII",
    "same_file": "Image and label are one file",
    "missing_image": "Image missing",
    "missing_label": "Label missing",
    "extra_label": "Label without an image",
    "broken_symlink": "Link to a file that is gone",
    "unreadable": "File cannot be read",
    "empty_file": "Empty file",
    "truncated": "File cut off",
    "damaged": "File damaged",
    "not_an_image": "Not an image",
    "image_mode": "Image of another kind than the others",
    "odd_size": "Image of another size than the others",
    "exif": "Image with an EXIF orientation",
    "label_jpeg": "Label saved as JPEG",
    "label_16_bit": "Label with 16 bits",
    "label_colours": "Label holds colours instead of class ids",
    "label_grey_shades": "Label holds shades of grey instead of class ids",
    "label_stretched": "Class ids stretched for viewing",
    "label_0_255": "Mask of 0 and 255",
    "label_one_based": "Classes counted from 1",
    "label_ids": "Cityscapes labelIds instead of trainIds",
    "label_255": "255 is a value, and not the ignored one",
    "class_too_large": "Class id too large",
    "stale_train_ids": "trainIds that do not belong to the labelIds",
    "no_class": "Label without any class",
    "nothing_labelled": "No label has any class",
    "one_class": "One class only",
    "palette_lost": "Palette lost",
    "palette_differs": "Palette of another order",
    "wrong_size": "Label of another size than its image",
    "swapped_label": "Label of another image",
    "duplicate_across_splits": "Image in both training and validation",
    "near_duplicate": "Almost the same image in training and validation",
    "duplicate": "Image twice in one split",
    "val_in_aug": "Validation image in aug.txt",
    "count": "Another number of images than published",
    "class_absent": "Class that never occurs",
    "num_classes": "Model and data differ in their classes",
}


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then by kind in the order of ``KINDS``, then by file."""
    rank = {kind: number for number, kind in enumerate(KINDS)}
    return sorted(findings, key=lambda f: (f.level != "error", rank[f.kind], f.split, f.file))


def grouped(findings: Iterable[Finding]) -> dict[tuple[str, str], list[Finding]]:
    """{(kind, level): its findings}, in the order in which they are given."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.kind, finding.level), []).append(finding)
    return groups

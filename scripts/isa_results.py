"""Writes docs/isa-results.md: every public row with its score, every recipe without one, and how the networks differ.

Nothing on it is written by hand but the sentences: rows are the catalogue's, structures are those of the configs that
the rows name, with the defaults of the classes that get them.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path

from paddleisa.config import check, read_config, shipped_configs
from paddleisa.inference.protocols import protocol_of
from paddleisa.registry import HEADS
from paddleisa.zoo.catalogue.catalogue import Entry, load_catalogue

PAGE = Path(__file__).parents[1] / "docs/isa-results.md"
# A row of each kind of network: the lineages, the authors' baseline, and their recipes over HRNet.
STRUCTURES = {
    "PaddleSeg": "isanet_resnet50_os8_cityscapes_769x769_80k",
    "mmsegmentation": "isanet_r50-d8_512x1024_80k_cityscapes",
    "SSSegmentation": "isanet_resnet50os8_cityscapes",
    "authors' ISANet": "isanet_deepbase_resnet101_dilated8_cityscapes",
    "authors' Base-OC": "base_ocnet_deepbase_resnet101_dilated8_cityscapes",
    "authors' HRNet recipe": "isanet_hrnet_w48_cityscapes_1024x512_80k",
}
PROJECTS = {
    "paddleseg": "PaddleSeg",
    "mmsegmentation": "mmsegmentation",
    "sssegmentation": "SSSegmentation",
    "openseg": "authors",
}
WORDS = {True: "yes", False: "no", None: "-"}

INTRODUCTION = """# All ISA results

Made from catalogue and configs by `python scripts/isa_results.py`.
Every public ISANet and every recipe of the paper's authors, in one table. The scores are their publishers', single
scale unless a column says otherwise. **Never loaded here**: not one of these weights could be fetched where this was
written, so that no score was measured again, and no recipe was trained. [Models](models.md) has the links to logs.
"""
STRUCTURE = """
## How the networks differ

Made from the configs that the rows name, with the defaults of the classes that get them. What is equal in all of them
is left out.

"""


def page() -> str:
    """The page, in Markdown."""
    return INTRODUCTION + "\n" + _table(result_rows()) + STRUCTURE + _table(structure_rows())


def result_rows() -> list[list[str]]:
    """A header, the published rows by data set, then the authors' recipes, which have no score."""
    entries = sorted((e for e in load_catalogue() if e.family in PROJECTS), key=lambda e: e.row.dataset)
    rows = [["data", "model", "of", "backbone", "images", "iterations", "mIoU", "flip", "ms+flip", "weights"]]
    rows += [_published(entry) for entry in entries]
    recipes = [n for n, path in shipped_configs().items() if path.parent.name == "openseg_isanet"]
    named = {entry.config for entry in entries}
    return rows + [_recipe(name) for name in sorted(recipes) if name not in named]


def structure_rows() -> list[list[str]]:
    """A header with the networks, and a line for each property that is not the same in all."""
    columns = {title: structure(name) for title, name in STRUCTURES.items()}
    properties = dict.fromkeys(key for values in columns.values() for key in values)
    rows = [["", *columns]]
    for key in properties:
        values = [_word(column.get(key)) for column in columns.values()]
        if len(set(values)) > 1:
            rows.append([key, *values])
    return rows


def structure(name: str) -> dict[str, object]:
    """The properties of a config's network and of what it sees."""
    config = check(read_config(name), "train", defaults=True)
    model = dict(config["model"])
    backbone, head = dict(model.pop("backbone")), dict(model.pop("head") or {"type": "ISAHead"})
    flat = {key: model.pop(key) for key in ("isa_channels", "down_factor", "enable_auxiliary_loss")}
    head |= {key: value for key, value in flat.items() if value is not None}
    head = _with_defaults(head)
    normalize = next(t for t in config["val_dataset"]["transforms"] if t["type"] == "Normalize")
    found: dict[str, object] = {"backbone": backbone.pop("type"), "head": head.pop("type")}
    found |= {f"backbone: {key}": value for key, value in backbone.items() if key != "pretrained"}
    found |= {f"head: {key}": value for key, value in head.items()}
    found |= {f"model: {key}": model[key] for key in ("align_corners", "upsample")}
    found |= {f"input: {key}": normalize[key] for key in ("mean", "std")}
    found["losses"] = [(term["type"], factor) for term, factor in _terms(config["loss"])]
    found["protocol"] = config["test_config"]["protocol"]
    found["an absent class"] = f"{protocol_of(config['test_config']['protocol']).absent_rule} the mean"
    return found


def _with_defaults(head: Mapping[str, object]) -> dict[str, object]:
    parameters = inspect.signature(HEADS.get(str(head["type"]))).parameters.values()
    supplied = ("num_classes", "in_channels")
    return {"type": head["type"], **{p.name: head.get(p.name, p.default) for p in parameters if p.name not in supplied}}


def _terms(loss: Mapping) -> Iterable[tuple[dict, float]]:
    types = loss["types"] if len(loss["types"]) == len(loss["coef"]) else loss["types"] * len(loss["coef"])
    return zip(types, loss["coef"], strict=True)


def _published(entry: Entry) -> list[str]:
    row, scores = entry.row, entry.row.scores
    multi = [f"{value:.2f} ({name})" for name, value in scores.ms_flip_by_protocol.items()]
    if not multi and scores.ms_flip_alone is not None:
        multi = [f"{scores.ms_flip_alone:.2f}"]
    return [
        row.dataset,
        f"`{entry.name}`",
        PROJECTS[entry.family],
        row.backbone,
        str(row.total_batch),
        str(row.iterations),
        *("" if score is None else f"{score:.2f}" for score in (scores.single, scores.flip)),
        ", ".join(multi),
        f"[file]({row.weights.url}), never loaded here",
    ]


def _recipe(name: str) -> list[str]:
    config = check(read_config(name), "train", defaults=True)
    data, backbone = config["train_dataset"]["type"], config["model"]["backbone"]["type"]
    images, iterations = str(4 * config["batch_size"]), str(config["iters"])
    cells = [data, f"`{name}`", "authors", backbone, images, iterations, "not known", "", ""]
    return [*cells, "none: a recipe, never run here"]


def _word(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return WORDS[value]
    if isinstance(value, list | tuple):
        return ", ".join(" x ".join(map(str, v)) if isinstance(v, tuple) else _word(v) for v in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _table(rows: list[list[str]]) -> str:
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

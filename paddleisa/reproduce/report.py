"""The report of a reproduction: for the terminal, as JSON, Markdown, and one HTML file that needs nothing else."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from paddleisa.inference.protocols import protocol_of
from paddleisa.reproduce.result import HEADER, Measured, Outcome
from paddleisa.reproduce.targets import TITLES
from paddleisa.utils import environment
from paddleisa.utils.files import atomic_write
from paddleisa.visual.html import Picture, picture, render
from paddleisa.visual.overlay import overlay

_WIDTH = 480  # pixels of an overlay at most; half the page
_TONE = {"reproduced": "good", "not reproduced": "bad", "quick look": "part"}
_BLUE, _ORANGE = "#2b6cb0", "#dd8a2e"


@dataclass(frozen=True)
class Report:
    """What a command found.

    Attributes:
        outcomes: the rows.
        command: what was typed.
        date: when, with the time zone.
        environment: versions, processor, threads.
    """

    outcomes: Sequence[Outcome]
    command: str
    date: str = field(default_factory=lambda: datetime.datetime.now().astimezone().isoformat(timespec="seconds"))
    environment: dict[str, object] = field(default_factory=environment.describe)

    @property
    def reproduced(self) -> bool:
        """Whether every row was, on its whole data set."""
        return bool(self.outcomes) and all(outcome.verdict == "reproduced" for outcome in self.outcomes)

    def to_dict(self) -> dict[str, object]:
        """Everything as plain data."""
        return {
            "command": self.command,
            "date": self.date,
            "reproduced": self.reproduced,
            "models": [outcome.to_dict() for outcome in self.outcomes],
            "environment": self.environment,
        }


def text_table(outcome: Outcome) -> str:
    """A row's scores for the terminal, with the verdict."""
    lines = [HEADER, *(item.cells for item in outcome.measured)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = [outcome.job.entry.name]
    for cells in lines:
        aligned = [
            cell.rjust(width) if 2 <= number <= 4 else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        shown.append("  " + "  ".join(aligned).rstrip())
    return "\n".join([*shown, f"  {outcome.sentence}"])


def facts(outcome: Outcome) -> list[tuple[str, str]]:
    """What was measured with what, as (name, value) pairs for people."""
    job, tally = outcome.job, outcome.tally
    return [
        ("weights", str(job.weights)),
        ("weights, sha256", f"{job.sha256} ({job.weights_origin})"),
        ("config", job.config.name),
        ("config, digest", job.config.digest()),
        *(("config, changed", change) for change in job.changes),
        ("data", f"{type(job.dataset).__name__} {job.dataset.mode}, {tally.images} of {outcome.of} images"),
        ("data, digest of names and sizes", job.data_digest),
        *(
            (f"mIoU of the classes that are there, {item.way.key}", f"{100 * item.scores.present_miou:.2f}")
            for item in outcome.measured
            if item.scores.class_absent.any()
        ),
        ("computed by", f"{outcome.engine} on {outcome.device}"),
        ("time", f"{tally.seconds:.0f} s, {tally.seconds / max(tally.images, 1):.2f} s per image for all ways"),
        ("published scores", job.entry.scores_origin),
    ]


def markdown(report: Report) -> str:
    """The report as Markdown: tables and facts, without pictures."""
    lines = ["# Reproduction of published scores", ""]
    for outcome in report.outcomes:
        lines += [f"## {outcome.job.entry.name}", "", f"**{outcome.sentence}**", ""]
        lines += _table(HEADER, [item.cells for item in outcome.measured], right=range(2, 5))
        protocol = outcome.measured[0].way.protocol
        ways = [item for item in outcome.measured if item.way.protocol == protocol]
        names = outcome.job.dataset.class_names
        rows = [[name, *(_iou(item, k) for item in ways)] for k, name in enumerate(names)]
        lines += ["", f"IoU of each class in %, protocol {protocol}:", ""]
        lines += _table(["class", *(item.cells[0] for item in ways)], rows, right=range(1, 1 + len(ways)))
        for kind, found in outcome.examples().items():
            lines += ["", f"The {kind} images (mean IoU of the classes in them, single scale):", ""]
            lines += [f"- {100 * item['miou']:.2f} `{item['image']}`" for item in found] or ["- none: too few images"]
        lines += ["", *(f"- {name}: {value}" for name, value in facts(outcome)), ""]
    lines += ["## How", "", f"- command: `{report.command}`", f"- date: {report.date}"]
    lines += [f"- {name}: {value}" for name, value in environment_facts(report.environment)]
    return "\n".join(lines) + "\n"


def environment_facts(found: dict[str, object]) -> list[tuple[str, str]]:
    """The nested description of the environment as (name, value) pairs."""
    pairs: list[tuple[str, str]] = []
    for name, value in found.items():
        pairs += environment_facts(value) if isinstance(value, dict) else [(name, str(value))]
    return pairs


def _iou(item: Measured, class_id: int) -> str:
    return "absent" if item.scores.class_absent[class_id] else f"{100 * item.scores.class_iou[class_id]:.2f}"


def _table(header: list[str], rows: list[list[str]], right: range) -> list[str]:
    rule = ["--:" if number in right else "---" for number in range(len(header))]
    return ["| " + " | ".join(cells) + " |" for cells in (header, rule, *rows)]


def write_report(report: Report, folder: Path, stem: str) -> list[Path]:
    """Write ``stem.json``, ``stem.md`` and ``stem.html`` into ``folder``; returns their paths."""
    contents = {
        ".json": json.dumps(report.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        ".md": markdown(report),
        ".html": html_page(report),
    }
    paths = []
    for suffix, text in contents.items():
        paths.append(folder / f"{stem}{suffix}")
        with atomic_write(paths[-1], "w") as stream:
            stream.write(text)
    return paths


def html_page(report: Report) -> str:
    """The whole page."""
    return render(
        "reproduction.html",
        title="Reproduction of published scores",
        date=report.date,
        command=report.command,
        environment=environment_facts(report.environment),
        header=HEADER,
        models=[_model(outcome) for outcome in report.outcomes],
    )


def _model(outcome: Outcome) -> dict[str, object]:
    """What the template shows of one model."""
    names = outcome.job.dataset.class_names
    shown = (outcome.measured[0], outcome.measured[-1])
    series = [
        (f"{TITLES[item.way.name]}, {item.way.protocol}", colour, item.scores.class_iou, item.scores.class_absent)
        for item, colour in zip(shown, (_BLUE, _ORANGE), strict=True)
    ]
    true = shown[0].matrix.sum(1, keepdims=True)
    examples, legend = _examples(outcome)
    return {
        "name": outcome.job.entry.name,
        "tone": _TONE[outcome.verdict],
        "verdict": outcome.sentence,
        "scores": [item.cells for item in outcome.measured],
        "protocols": _protocols(outcome, "about"),
        "absent_rules": _protocols(outcome, "absent_rule"),
        "classes": names,
        "series": series,
        "shares": np.divide(shown[0].matrix, true, out=np.zeros(shown[0].matrix.shape), where=true > 0).tolist(),
        "examples": examples,
        "legend": legend,
        "facts": facts(outcome),
    }


def _protocols(outcome: Outcome, fact: str) -> str:
    names = dict.fromkeys(item.way.protocol for item in outcome.measured)
    return "; ".join(f"{name}: {getattr(protocol_of(name), fact)}" for name in names)


def _examples(outcome: Outcome) -> tuple[list[dict[str, object]], list[tuple[str, list[int]]]]:
    """(best and worst images with label and prediction, the classes in them with their colours)."""
    dataset, seen = outcome.job.dataset, set()
    groups: list[dict[str, object]] = []
    palette = dataset.palette
    for kind, found in outcome.examples().items():
        images = []
        for item in found:
            sample, mask = dataset.read(item["number"]), outcome.tally.mask(item["number"])
            seen |= {*np.unique(sample["label"]).tolist(), *np.unique(mask).tolist()}
            pictures = [
                _overlaid(sample["img"], each, palette, caption)
                for each, caption in ((sample["label"], "label"), (mask, "prediction"))
            ]
            images.append({"miou": f"{100 * item['miou']:.2f}", "file": item["image"], "pictures": pictures})
        if images:
            title = f"The {kind} image" if len(images) == 1 else f"The {len(images)} {kind} images"
            groups.append({"title": title, "images": images})
    legend = [(name, palette[k].tolist()) for k, name in enumerate(dataset.class_names) if k in seen]
    return groups, legend


def _overlaid(image: np.ndarray, mask: np.ndarray, palette: np.ndarray, caption: str) -> Picture:
    """An overlay, made smaller where it is wider than it will be shown."""
    shown = overlay(image, mask, palette)
    if shown.shape[1] > _WIDTH:
        height = max(1, round(shown.shape[0] * _WIDTH / shown.shape[1]))
        shown = cv2.resize(shown, (_WIDTH, height), interpolation=cv2.INTER_AREA)
    return picture(shown, caption)

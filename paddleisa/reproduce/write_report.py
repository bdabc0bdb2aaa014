"""The report written: JSON, Markdown, and one HTML file that needs nothing else (inline SVG, no script)."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from markupsafe import Markup

from paddleisa.inference.protocols import protocol_of
from paddleisa.reproduce.charts import bars, heatmap
from paddleisa.reproduce.report import Report, environment_facts, facts, markdown
from paddleisa.reproduce.result import HEADER, Outcome
from paddleisa.reproduce.targets import TITLES
from paddleisa.utils.files import atomic_write
from paddleisa.visual.html import Picture, picture, render
from paddleisa.visual.overlay import overlay

_WIDTH = 480  # pixels of an overlay at most; half the page
_TONE = {"reproduced": "good", "not reproduced": "bad", "quick look": "part"}


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
        (f"{TITLES[item.way.name]}, {item.way.protocol}", item.scores.class_iou, item.scores.class_absent)
        for item in shown
    ]
    examples, legend = _examples(outcome)
    return {
        "name": outcome.job.entry.name,
        "tone": _TONE[outcome.verdict],
        "verdict": outcome.sentence,
        "scores": [item.cells for item in outcome.measured],
        "protocols": _protocols(outcome, "about"),
        "absent_rules": _protocols(outcome, "absent_rule"),
        "bars": Markup(bars(names, series)),  # SVG of ours, whose texts are escaped
        "matrix": Markup(heatmap(names, shown[0].matrix)),
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

"""The report written: JSON, Markdown, and one HTML file that needs nothing else (inline SVG, no script)."""

from __future__ import annotations

import base64
import json
from html import escape
from pathlib import Path

import cv2
import numpy as np

from paddleisa.inference.protocols import protocol_of
from paddleisa.reproduce.charts import bars, heatmap
from paddleisa.reproduce.report import Report, environment_facts, facts, markdown
from paddleisa.reproduce.result import HEADER, Outcome
from paddleisa.reproduce.targets import TITLES
from paddleisa.utils.files import atomic_write
from paddleisa.visual.overlay import overlay

_WIDTH = 480  # pixels of an overlay at most; half the page
_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; color: #1d2733; background: #fff;
  max-width: 1040px; margin: 32px auto; padding: 0 24px; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 44px 0 8px; overflow-wrap: anywhere; }
h3 { font-size: 15px; margin: 28px 0 8px; }
table { border-collapse: collapse; margin: 12px 0; }
th, td { padding: 5px 14px 5px 0; text-align: left; border-bottom: 1px solid #e3e8ee; vertical-align: top; }
th { font-weight: 600; color: #5b6b7c; } .number { text-align: right; font-variant-numeric: tabular-nums; }
.verdict { padding: 10px 14px; border-radius: 6px; font-weight: 600; }
.good { background: #e3f4e8; color: #14602f; } .bad { background: #fbe6e4; color: #8c1d13; }
.part { background: #fdf1d8; color: #74500a; }
.ok { color: #14602f; } .differs { color: #b3261e; font-weight: 600; }
.facts td:first-child { color: #5b6b7c; white-space: nowrap; } .facts td { overflow-wrap: anywhere; font-size: 14px; }
.note { color: #5b6b7c; font-size: 14px; margin: 4px 0; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 6px; margin: 4px 0 18px; }
.pair img { width: 100%; display: block; border-radius: 3px; }
.caption { font-size: 14px; margin: 10px 0 2px; overflow-wrap: anywhere; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 13px; margin: 6px 0; }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 2px; margin-right: 5px;
  vertical-align: -1px; border: 1px solid #0003; }
code { font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace; background: #f3f5f8; padding: 2px 5px;
  border-radius: 3px; overflow-wrap: anywhere; }
svg { max-width: 100%; height: auto; display: block; font: 12px system-ui, Helvetica, Arial, sans-serif; }
svg text { fill: #1d2733; } svg .faint { fill: #7a8896; } svg .small { font-size: 10px; } svg .light { fill: #fff; }
svg .grid { stroke: #e3e8ee; } svg .cell { stroke: #eef1f5; stroke-width: 1; }
"""
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
    found = [("command", f"<code>{escape(report.command)}</code>"), ("date", escape(report.date))]
    found += [(name, escape(value)) for name, value in environment_facts(report.environment)]
    return "".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Reproduction of published scores</title><style>{_STYLE}</style></head><body>\n",
            "<h1>Reproduction of published scores</h1>\n",
            f'<p class="note">{escape(report.date)}</p>\n',
            *(_row(outcome) for outcome in report.outcomes),
            "<h2>Command and environment</h2>",
            _facts(found),
            "</body></html>\n",
        ]
    )


def _row(outcome: Outcome) -> str:
    names = outcome.job.dataset.class_names
    shown = (outcome.measured[0], outcome.measured[-1])
    series = [
        (f"{TITLES[item.way.name]}, {item.way.protocol}", item.scores.class_iou, item.scores.class_absent)
        for item in shown
    ]
    return "".join(
        [
            f"<h2>{escape(outcome.job.entry.name)}</h2>\n",
            f'<p class="verdict {_TONE[outcome.verdict]}">{escape(outcome.sentence)}</p>\n',
            _scores(outcome),
            f'<p class="note">mIoU in %. Protocols: {_protocols(outcome, "about")}.</p>\n',
            "<h3>IoU of each class, %</h3>\n",
            '<p class="note">absent: the class neither occurs nor is predicted. It '
            f"{_protocols(outcome, 'absent_rule')} the mean (0 to 1).</p>\n",
            bars(names, series),
            "<h3>Confusion matrix, single scale</h3>\n",
            '<p class="note">Rows: true class. Columns: predicted class. Numbers: % of the true class\'s pixels; '
            "the colour goes with their square root.</p>\n",
            heatmap(names, shown[0].matrix),
            _examples(outcome),
            "<h3>Measured with</h3>",
            _facts([(name, escape(value)) for name, value in facts(outcome)]),
        ]
    )


def _protocols(outcome: Outcome, fact: str) -> str:
    names = dict.fromkeys(item.way.protocol for item in outcome.measured)
    return "; ".join(f"{name}: {getattr(protocol_of(name), fact)}" for name in names)


def _scores(outcome: Outcome) -> str:
    rows = [_line(HEADER, "th"), *(_line(item.cells, "td") for item in outcome.measured)]
    return '<table class="scores">' + "\n".join(rows) + "</table>\n"


def _line(cells: list[str], tag: str) -> str:
    kinds = ["", "", "number", "number", "number", cells[-1]]
    found = (f'<{tag} class="{kind}">{escape(cell)}</{tag}>' for kind, cell in zip(kinds, cells, strict=True))
    return f"<tr>{''.join(found)}</tr>"


def _facts(found: list[tuple[str, str]]) -> str:
    """A table of names and values; values are HTML already."""
    rows = "\n".join(f"<tr><td>{escape(name)}</td><td>{value}</td></tr>" for name, value in found)
    return f'<table class="facts">{rows}</table>\n'


def _examples(outcome: Outcome) -> str:
    dataset = outcome.job.dataset
    palette, seen, parts = dataset.palette, set(), []
    for kind, found in outcome.examples().items():
        if not found:
            continue
        title = f"The {kind} image" if len(found) == 1 else f"The {len(found)} {kind} images"
        parts.append(f"<h3>{title}</h3>\n")
        for item in found:
            sample, mask = dataset.read(item["number"]), outcome.tally.mask(item["number"])
            seen |= {*np.unique(sample["label"]).tolist(), *np.unique(mask).tolist()}
            pair = _picture(sample["img"], sample["label"], palette, "label")
            pair += _picture(sample["img"], mask, palette, "prediction")
            parts.append(
                f'<p class="caption">mean IoU <b>{100 * item["miou"]:.2f}</b> <code>{escape(item["image"])}</code></p>'
                f'<div class="pair">{pair}</div>\n'
            )
    if not parts:
        return ""
    note = '<p class="note">Left the label, right the prediction at single scale. The score of an image is the mean '
    note += "IoU of the classes in its label or prediction.</p>\n"
    return "<h3>Examples</h3>" + note + _legend(dataset.class_names, palette, seen) + "".join(parts)


def _legend(names: list[str], palette: np.ndarray, seen: set[int]) -> str:
    items = [
        f'<span><i style="background:rgb({",".join(map(str, palette[k].tolist()))})"></i>{escape(name)}</span>'
        for k, name in enumerate(names)
        if k in seen
    ]
    return f'<div class="legend">{"".join(items)}</div>\n'


def _picture(image: np.ndarray, mask: np.ndarray, palette: np.ndarray, title: str) -> str:
    """An overlay as an ``img`` with a data address, made smaller where it is wider than it will be shown."""
    picture = overlay(image, mask, palette)
    if picture.shape[1] > _WIDTH:
        height = max(1, round(picture.shape[0] * _WIDTH / picture.shape[1]))
        picture = cv2.resize(picture, (_WIDTH, height), interpolation=cv2.INTER_AREA)
    png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()
    return f'<img alt="{title}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'

"""A check's report as one HTML file: what is suspicious first, with pictures, then the whole set. Nothing is linked."""

from __future__ import annotations

import html

from paddleisa.data.check.check import Checked, DataCheck, counted
from paddleisa.data.check.findings import KINDS, grouped
from paddleisa.data.check.page_chart import class_chart
from paddleisa.data.check.page_pictures import pictures_of

PICTURES = 60  # of suspicious samples, over all kinds
PER_KIND = 6
SAMPLES = 6  # of each split
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1b1f24; background: #fff; margin: 0 auto; max-width: 1080px;
  padding: 24px 20px 60px }
h1 { font-size: 24px; margin: 0 0 4px } h2 { font-size: 19px; margin: 34px 0 8px; border-bottom: 1px solid #d5dae0 }
h3 { font-size: 16px; margin: 22px 0 4px } .sub { color: #59636e; margin: 0 0 14px }
.verdict { padding: 10px 14px; border-radius: 6px; font-weight: 600 }
.good { background: #dff5e3; color: #12562a } .bad { background: #fde3e1; color: #8a1c14 }
.soso { background: #fff2cf; color: #6b4c00 }
.tag { font-size: 12px; border-radius: 4px; padding: 1px 6px; margin-right: 6px }
table { border-collapse: collapse; margin: 8px 0 } th, td { text-align: left; padding: 3px 14px 3px 0 }
th { color: #59636e; font-weight: 500 } td.n { text-align: right; font-variant-numeric: tabular-nums }
.item { margin: 8px 0 14px; padding-left: 10px; border-left: 3px solid #d5dae0 }
.file { font: 13px ui-monospace, monospace; overflow-wrap: anywhere } .fix { color: #0a5a9c }
.row { display: flex; flex-wrap: wrap; gap: 6px; margin: 6px 0 2px } figure { margin: 0 }
figcaption { font-size: 12px; color: #59636e } img { display: block; max-width: 100%; image-rendering: auto }
.key { display: inline-block; width: 12px; height: 12px; border: 1px solid #999; margin: 0 4px -1px 10px }
"""


def page(report: DataCheck) -> str:
    """The report as a self-contained HTML page."""
    title = f"Data check: {report.name}"
    body = [f"<h1>{_text(title)}</h1>", _verdict(report), _suspicious(report), _overview(report)]
    for part in report.parts:
        if sum(part.counts):
            body += [f"<h2>Samples of {part.split.which}</h2>", _samples(part)]
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{_text(title)}</title>"
    return (
        f"<!doctype html><html lang=en><head>{head}<style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _verdict(report: DataCheck) -> str:
    errors, warnings = len(report.errors), len(report.findings) - len(report.errors)
    kind, words = (
        ("bad", "must be repaired") if errors else ("soso", "nothing must be repaired") if warnings else ("good", "")
    )
    text = f"{counted(errors, 'error')}, {counted(warnings, 'warning')}: {words}" if words else "Nothing is wrong"
    looked = sum(len(part.stats) for part in report.parts)
    return (
        f"<p class=sub>{looked:,} images and their labels looked at in {report.seconds:.0f} s</p>"
        f"<p class='verdict {kind}'>{text}</p>"
    )


def _overview(report: DataCheck) -> str:
    known = any(part.split.expected is not None for part in report.parts)
    head = ["split", "data set", "images", *(["should be"] if known else []), "sizes", "image", "label"]
    rows = ["<tr>" + "".join(f"<th>{name}" for name in head)]
    for part in report.parts:
        split, stats = part.split, part.stats.values()
        images = [f.image for f in stats if f.image.trouble is None]
        labels = [f.label for f in stats if f.label is not None]
        cells = [split.which, f"{split.kind} {split.mode}", f"{len(split.rows):,}"]
        if known:
            cells.append("" if split.expected is None else f"{split.expected:,} ({split.by})")
        cells += [_kinds(f"{f.size[0]}x{f.size[1]}" for f in images), _kinds(f.mode for f in images)]
        cells.append(_kinds(f.mode or "unreadable" for f in labels))
        rows.append("<tr>" + "".join(f"<td>{_text(cell)}" for cell in cells))
    charts = [(p.split.which, p.counts) for p in report.parts if sum(p.counts)]
    out = f"<h2>Overview</h2><table>{''.join(rows)}</table>"
    if charts:
        first = next(part.split for part in report.parts if sum(part.counts))
        out += "<h3>Share of each class in the labelled pixels</h3>" + class_chart(
            first.classes.names, first.classes.palette, charts
        )
    return out


def _kinds(values) -> str:
    """The commonest three values with how often they occur."""
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    common = sorted(counts.items(), key=lambda item: -item[1])
    if len(common) == 1:
        return common[0][0]
    return ", ".join(f"{value} ({count:,})" for value, count in common[:3]) + (", ..." if len(common) > 3 else "")


def _suspicious(report: DataCheck) -> str:
    if not report.findings:
        return ""
    parts = {part.split.which: part for part in report.parts}
    out, left = ["<h2>Suspicious files</h2>"], PICTURES
    for (kind, level), found in grouped(report.findings).items():
        tag = f"<span class='tag {'bad' if level == 'error' else 'soso'}'>{level}</span>"
        out.append(f"<h3>{tag}{_text(KINDS[kind])} <span class=sub>({len(found):,})</span></h3>")
        for finding in found[:PER_KIND]:
            pictures = ""
            if finding.row is not None and left > 0:
                left -= 1
                pictures = pictures_of(parts[finding.split], finding.row)
            out.append(
                f"<div class=item><div class=file>{_text(finding.split)}: {_text(finding.file)}</div>"
                f"<div>{_text(finding.problem)}. <span class=fix>{_text(finding.fix)}</span></div>{pictures}</div>"
            )
        if len(found) > PER_KIND:
            out.append(f"<details><summary>{len(found) - PER_KIND:,} more files</summary><div class=file>")
            out += [f"{_text(finding.file)}<br>" for finding in found[PER_KIND:1000]]
            out.append("</div></details>" if len(found) <= 1000 else "... (all of them with --json)</div></details>")
    return "".join(out)


def _samples(part: Checked) -> str:
    numbers = [n for n, f in part.stats.items() if f.image.trouble is None and f.label and f.label.trouble is None]
    step = max(1, len(numbers) // SAMPLES)
    out = []
    for number in numbers[::step][:SAMPLES]:
        out.append(f"<div class=file>{_text(part.split.rows[number][0])}</div>{pictures_of(part, number)}")
    return "".join(out)


def _text(value: object) -> str:
    return html.escape(str(value))

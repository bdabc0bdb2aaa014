"""The report's three files, read back by parsers that know nothing of how they were written."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from paddleisa.config import Config
from paddleisa.inference.settings import InferenceSettings
from paddleisa.reproduce.accumulator import Tally
from paddleisa.reproduce.preflight import Job
from paddleisa.reproduce.report import Report, text_table, write_report
from paddleisa.reproduce.result import Outcome
from paddleisa.reproduce.targets import Way

NAMES = ["road", "<b>sky</b>", "car & van", "never"]
PALETTE = np.array([[128, 64, 128], [70, 130, 180], [0, 0, 142], [255, 255, 0]], np.uint8)
SHAPE = (20, 960)  # twice as wide as the page shows it
COMMAND = "paddleisa reproduce '<script>alert(1)</script>'"


class FakeData:
    """Eight noisy labels of three classes; nothing on disk."""

    class_names, palette, mode, ignore_index, num_classes = NAMES, PALETTE, "val", 255, 4
    samples = [(f"images/{i}<i>.png", f"labels/{i}.png") for i in range(8)]

    def __len__(self):
        return 8

    def read(self, number):
        rng = np.random.default_rng(number)
        img = rng.integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
        return {"img": img, "label": rng.integers(0, 3, SHAPE).astype(np.uint8)}

    def mask(self, number, way):
        """The label with more and more of it replaced by class 0: image 0 is the best, image 7 the worst."""
        label = self.read(number)["label"]
        wrong = np.random.default_rng([number, way]).random(SHAPE) < 0.1 * number + 0.01 * way + 0.02
        return np.where(wrong, 0, label).astype(np.uint8)


WAYS = [
    Way("single", InferenceSettings(protocol="published"), 53.9),
    Way("ms_flip", InferenceSettings(protocol="corrected", scales=(0.75, 1.0)), None),
]


@pytest.fixture(scope="module")
def outcome():
    data, tally = FakeData(), Tally(2, 4, 255)
    for number in range(len(data)):
        tally.add([data.mask(number, way) for way in range(2)], data.read(number)["label"])
    entry = SimpleNamespace(name="tiny<row>", scores_origin="a paper")
    config = Config.from_dict({"model": {"type": "ISANet"}}, "tiny")
    changes = ["iters: 1 -> 2 (--opts iters=2)"]
    job = Job(entry, config, WAYS, changes, data, "d" * 64, "w.pdparams", "a" * 64, "the published file")
    return Outcome(job, tally, "cpu", "paddle fp32")


@pytest.fixture(scope="module")
def files(outcome, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    paths = write_report(Report([outcome], COMMAND), folder, "report")
    return {path.suffix: path.read_text(encoding="utf-8") for path in paths}


@pytest.fixture(scope="module")
def matrices(outcome):
    """Counted pixel by pixel from labels and masks."""
    data, found = FakeData(), np.zeros((2, 4, 4), np.int64)
    for number in range(len(data)):
        for way in range(2):
            np.add.at(found[way], (data.read(number)["label"], data.mask(number, way)), 1)
    return found


class Page(HTMLParser):
    """Tables as lists of rows of text, pictures, addresses, titles of SVG shapes; open elements must close in order."""

    VOID = {"meta", "img", "line", "rect", "br", "i"}

    def __init__(self, text):
        super().__init__()
        self.tables, self.sources, self.titles, self.tags, self._open = [], [], [], [], []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href", "xlink:href", "data")]
        if tag not in ("meta", "img"):
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag == "title" and "svg" in self._open:
            self.titles.append("")

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] in ("td", "th", "code") and "tr" in self._open:
            self.tables[-1][-1][-1] += data
        elif self._open and self._open[-1] == "title" and "svg" in self._open:
            self.titles[-1] += data


@pytest.fixture(scope="module")
def page(files):
    return Page(files[".html"])


def iou(matrix, k, absent=0.0):
    union = matrix[k].sum() + matrix[:, k].sum() - matrix[k, k]
    return matrix[k, k] / union if union else absent


def test_json_holds_matrices_scores_and_differences(files, matrices):
    row = json.loads(files[".json"])["models"][0]
    for score, matrix, absent in zip(row["scores"], matrices, (0.0, 1.0), strict=True):
        np.testing.assert_array_equal(score["confusion_matrix"], matrix)
        assert score["class_iou"] == pytest.approx([iou(matrix, k, absent) for k in range(4)])
        assert score["measured"] == pytest.approx(100 * np.mean([iou(matrix, k, absent) for k in range(4)]))
    first, second = row["scores"]
    assert first["difference"] == pytest.approx(first["measured"] - 53.9)
    assert second["published"] is second["difference"] is second["within_tolerance"] is None


def test_json_names_command_hashes_environment_and_examples(files):
    found = json.loads(files[".json"])
    row = found["models"][0]
    assert found["command"] == COMMAND and "numpy" in found["environment"]["packages"]
    assert (row["weights_sha256"], row["dataset_digest"]) == ("a" * 64, "d" * 64)
    assert len(row["config_digest"]) == 64 and row["config_changes"] == ["iters: 1 -> 2 (--opts iters=2)"]
    assert [item["number"] for item in row["best"]] == [0, 1, 2]
    assert [item["number"] for item in row["worst"]] == [7, 6, 5]


def test_the_score_of_an_image_is_the_mean_iou_of_the_classes_in_it(files):
    data = FakeData()
    for item in json.loads(files[".json"])["models"][0]["worst"]:
        label, mask = data.read(item["number"])["label"], data.mask(item["number"], 0)
        scores = [((label == k) & (mask == k)).sum() / ((label == k) | (mask == k)).sum() for k in range(3)]
        assert item["miou"] == pytest.approx(np.mean(scores))


def table_rows(markdown):
    return [[c.strip() for c in line.strip("|").split("|")] for line in markdown.splitlines() if line.startswith("|")]


def test_markdown_and_html_have_the_same_table_as_the_terminal(files, page, outcome, matrices):
    measured = [f"{100 * np.mean([iou(m, k, a) for k in range(4)]):.2f}" for m, a in zip(matrices, (0, 1), strict=True)]
    difference = f"{float(measured[0]) - 53.9:+.2f}"
    expected = [
        ["way", "protocol", "measured", "published", "difference", ""],
        ["single scale", "paddleseg-2021", measured[0], "53.90", difference, "differs"],
        ["ms + flip", "paddleseg-2023", measured[1], "", "", ""],
    ]
    assert page.tables[0] == expected
    rows = table_rows(files[".md"])
    assert [rows[0], *rows[2:4]] == expected
    said = text_table(outcome)
    for cells in expected:
        assert re.search(r"\s+".join(map(re.escape, filter(None, cells))), said)
    assert "NOT REPRODUCED: 1 of 1 published scores missed" in said and "NOT REPRODUCED" in files[".md"]


def test_markdown_lists_the_iou_of_every_class(files, matrices):
    rows = {row[0]: row[1] for row in table_rows(files[".md"])}
    for k, name in enumerate(NAMES[:3]):
        assert rows[name] == f"{100 * iou(matrices[0], k):.2f}"
    assert rows["never"] == "absent"


def test_html_needs_nothing_from_elsewhere_and_runs_nothing(page, files):
    assert page.sources and all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "url(" not in files[".html"] and "@import" not in files[".html"]


def test_html_escapes_names_paths_and_the_command(files, page):
    assert "<script>" not in files[".html"] and "<b>sky" not in files[".html"] and "<i>.png" not in files[".html"]
    assert COMMAND in [row[1] for row in page.tables[-1]]


def test_html_bars_give_every_class_in_both_ways_and_mark_the_absent_one(page, files, matrices):
    for way, title in enumerate(("single scale, paddleseg-2021", "ms + flip, paddleseg-2023")):
        for k in range(3):
            assert f"{NAMES[k]}, {title}: {100 * iou(matrices[way], k):.1f}" in page.titles
    assert not any(title.startswith("never, ") for title in page.titles)
    assert files[".html"].count(">absent<") == 2


def test_html_confusion_matrix_gives_the_share_of_each_true_class(page, matrices):
    for i, true in enumerate(NAMES):
        for j, seen in enumerate(NAMES):
            total = matrices[0][i].sum()
            share = 100 * matrices[0][i, j] / total if total else 0.0
            assert f"{true} seen as {seen}: {share:.2f} %" in page.titles


def test_html_shows_label_and_prediction_of_the_best_and_worst_images(page):
    data = FakeData()
    expected = [mask for n in (0, 1, 2, 7, 6, 5) for mask in (data.read(n)["label"], data.mask(n, 0))]
    assert len(page.sources) == len(expected)
    for number, source, mask in zip(np.repeat((0, 1, 2, 7, 6, 5), 2), page.sources, expected, strict=True):
        shown = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))
        wanted = (data.read(int(number))["img"] / 2 + PALETTE[mask] / 2).round().astype(np.uint8)
        assert shown.size == (480, 10)
        smaller = Image.fromarray(wanted).resize((480, 10), Image.Resampling.BOX)
        assert np.abs(np.asarray(shown, float) - np.asarray(smaller, float)).max() < 6


def test_a_part_of_the_data_is_called_a_quick_look_everywhere(outcome, tmp_path):
    part = Outcome(outcome.job, outcome.tally, "cpu", "paddle fp32", limited=True)
    report = Report([part], "paddleisa reproduce --limit 8")
    assert report.reproduced is False
    for path in write_report(report, tmp_path, "quick_look"):
        text = path.read_text(encoding="utf-8")
        assert ("quick look" in text.lower()) and "REPRODUCED" not in text


def test_a_class_that_mmsegmentation_leaves_out_is_null_in_json_and_absent_in_words(outcome, tmp_path):
    ways = [Way("single", InferenceSettings(protocol="mmseg"), None)] * 2
    job = Job(**{**vars(outcome.job), "ways": ways})
    json_file, markdown, _ = write_report(
        Report([Outcome(job, outcome.tally, "cpu", "paddle fp32")], ""), tmp_path, "r"
    )
    assert json.loads(json_file.read_text())["models"][0]["scores"][0]["class_iou"][3] is None
    assert "| never | absent |" in markdown.read_text()


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_few_images_are_shown_once(count):
    data, tally = FakeData(), Tally(1, 4, 255)
    for number in range(count):
        tally.add([data.mask(number, 0)], data.read(number)["label"])
    shown = tally.best() + tally.worst()
    assert sorted(shown) == list(range(count)) and set(tally.masks) == set(shown)


def test_an_image_without_any_class_is_neither_best_nor_worst():
    tally = Tally(1, 4, 255)
    tally.add([np.zeros((4, 4), np.uint8)], np.full((4, 4), 255, np.uint8))
    tally.add([np.zeros((4, 4), np.uint8)], np.zeros((4, 4), np.uint8))
    assert tally.best() == [1] and tally.worst() == []

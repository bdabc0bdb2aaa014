"""The check's HTML report: what a reader needs is there, in order, and nothing is fetched from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from PIL import Image

from paddleisa.config import Config
from paddleisa.data.check.check import check_config
from paddleisa.data.check.page import page

NAMES = ["ground", "<wall>", "sky"]


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    for mode, count in (("train", 6), ("val", 2)):
        lines = []
        for number in range(count):
            image, label = f"{mode}{number}.png", f"{mode}{number}_label.png"
            Image.fromarray(rng.integers(0, 256, (40, 60, 3)).astype(np.uint8)).save(tmp_path / image)
            Image.fromarray(np.repeat([[0], [1], [2], [0]], 10, 0).repeat(60, 1).astype(np.uint8)).save(
                tmp_path / label
            )
            lines.append(f"{image} {label}\n")
        (tmp_path / f"{mode}.txt").write_text("".join(lines))
    return tmp_path


def report(root):
    parts = {
        f"{mode}_dataset": {
            "type": "Dataset",
            "dataset_root": str(root),
            "mode": mode,
            f"{mode}_path": str(root / f"{mode}.txt"),
            "num_classes": 3,
            "class_names": NAMES,
            "transforms": [],
        }
        for mode in ("train", "val")
    }
    return check_config(Config.from_dict(parts), workers=0, cache=root / "cache", progress=False)


class Reader(HTMLParser):
    """Collects text and attributes, and whether every element was closed."""

    def __init__(self):
        super().__init__()
        self.words, self.links, self.pictures = [], [], []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.links += [values[name] for name in ("href", "src") if name in values]
        if tag == "img":
            self.pictures.append(values)

    def handle_data(self, data):
        self.words.append(data)


def read(text):
    reader = Reader()
    reader.feed(text)
    return reader


def test_clean_data_shows_classes_and_samples(root):
    reader = read(page(report(root)))
    text = " ".join(reader.words)
    assert "Nothing is wrong" in text
    assert "train 50 %" in text and "val 25 %" in text  # shares of the classes, exactly
    assert "<wall>" in text  # names are text, not markup
    assert len(reader.pictures) == 3 * (6 + 2)


def test_suspicious_files_come_first_with_pictures_and_the_fix(root):
    Image.fromarray(np.full((40, 60), 9, np.uint8)).save(root / "train3_label.png")
    (root / "train4_label.png").unlink()
    text = page(report(root))
    words = " ".join(read(text).words)
    assert "2 errors" in words
    assert words.index("Suspicious files") < words.index("Samples of train")
    assert "train3_label.png" in words and "correct num_classes" in words
    assert "train4_label.png" in words and "remove its line" in words
    before_samples = text[: text.index("Samples of train")]
    assert before_samples.count("<img") >= 3  # the damaged label is shown, with its image


def test_the_page_is_one_file(root):
    reader = read(page(report(root)))
    assert reader.links and all(link.startswith("data:image/") for link in reader.links)
    assert "http" not in re.sub(r"base64,[^']*", "", page(report(root)))


def test_pictures_are_what_their_captions_say(root):
    import base64

    picture = read(page(report(root))).pictures[1]
    data = base64.b64decode(picture["src"].split(",")[1])
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert picture["alt"].startswith("label") and decoded.shape == (40, 60, 3)
    assert len(np.unique(decoded.reshape(-1, 3), axis=0)) == 3  # three bands, three colours
    assert (decoded[0, 0] != decoded[15, 0]).any() and (decoded[0, 0] == decoded[35, 0]).all()


def test_names_of_files_cannot_inject_markup(root):
    (root / "train.txt").write_text("<script>alert(1)</script>.png train0_label.png\n")
    assert "<script>" not in page(report(root))

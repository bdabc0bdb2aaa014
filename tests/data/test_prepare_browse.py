"""The contact sheet shows what the network gets."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from paddleisa.data.check.page import browse, network_image
from paddleisa.datasets.scenes import Scenes
from paddleisa.errors import UsageError
from paddleisa.transforms import Normalize, RandomHorizontalFlip, RandomPaddingCrop


def scenes(*transforms, **options):
    return Scenes(list(transforms), num_images=5, height=64, width=96, **options)


@pytest.mark.parametrize("normalize", [Normalize(), Normalize(mean=(0.48, 0.45, 0.4), std=(0.23, 0.22, 0.21))])
def test_normalization_is_undone_to_the_pixel(normalize):
    data = scenes(normalize)
    assert np.array_equal(network_image(data[0]["img"], data.transforms.transforms), data.read(0)["img"])


def test_without_normalization_pixels_are_shown_as_they_are():
    data = scenes()
    assert np.array_equal(network_image(data[0]["img"], []), data.read(0)["img"])


def test_the_sheet_has_image_network_input_and_label_of_each_sample(tmp_path):
    data = scenes(RandomHorizontalFlip(prob=1.0), Normalize())
    shown = browse(data, tmp_path / "sheet.png", count=2, cell=96)
    sheet = np.array(Image.open(tmp_path / "sheet.png"))
    index = data.samples.index((shown[0], shown[0]))
    sample, top = data.read(index), 4 + 18  # below the gap and the caption
    left, middle, right = (sheet[top : top + 64, 4 + k * 100 : 4 + k * 100 + 96] for k in range(3))
    assert np.array_equal(left, sample["img"])
    assert np.array_equal(middle, sample["img"][:, ::-1])
    flipped = sample["label"][:, ::-1]
    assert np.array_equal(right[flipped < 8], data.palette[flipped[flipped < 8]])
    assert (right[flipped == 255] == 255).all()


def test_the_same_seed_gives_the_same_sheet_and_another_seed_another(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        browse(scenes(RandomPaddingCrop((48, 48)), Normalize()), tmp_path / f"{name}.png", 3, seed)
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b != c


def test_more_samples_than_there_are_shows_all(tmp_path):
    assert len(browse(scenes(Normalize()), tmp_path / "sheet.png", count=50)) == 5


def test_no_samples_is_a_mistake(tmp_path):
    with pytest.raises(UsageError, match="--count"):
        browse(scenes(), tmp_path / "sheet.png", count=0)

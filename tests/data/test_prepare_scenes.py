"""Generated data in the layouts of the downloads."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from paddleisa.data.prepare.scene_layouts import draw, outlines
from paddleisa.data.prepare.scenes import prepare_scenes
from paddleisa.errors import UsageError

SIZE = (128, 64)


def generate(root, layout="cityscapes", num_images=(2, 1), size=SIZE, seed=0, workers=0):
    return prepare_scenes(root, layout, num_images, size, seed, workers=workers, progress=False)


def files(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("layout", ["cityscapes", "voc"])
def test_a_seed_gives_the_same_files_whatever_the_number_of_processes(tmp_path, layout):
    pytest.importorskip("scipy")
    generate(tmp_path / "a", layout)
    generate(tmp_path / "b", layout, workers=2)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_another_seed_gives_other_pictures(tmp_path):
    generate(tmp_path / "a")
    generate(tmp_path / "b", seed=1)
    one, other = files(tmp_path / "a"), files(tmp_path / "b")
    assert one.keys() == other.keys()
    assert all(one[name] != other[name] for name in one if name.endswith("leftImg8bit.png"))


def test_a_larger_set_continues_a_smaller_one(tmp_path):
    generate(tmp_path)
    before = files(tmp_path)
    generate(tmp_path, num_images=(3, 2))
    after = files(tmp_path)
    pictures = [name for name in before if not name.endswith("by_paddleisa.json")]
    assert len(after) > len(before) and all(after[name] == before[name] for name in pictures)


def test_cityscapes_files_have_official_names_sizes_and_modes(tmp_path):
    generate(tmp_path)
    image = Image.open(tmp_path / "leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png")
    truth = {
        k: tmp_path / f"gtFine/train/aachen/aachen_000000_000019_gtFine_{k}.png" for k in ("labelIds", "instanceIds")
    }
    assert (image.size, image.mode) == (SIZE, "RGB")
    ids, instances = (np.array(Image.open(truth[kind])) for kind in ("labelIds", "instanceIds"))
    assert set(np.unique(ids)) <= {1, 7, 8, 11, 17, 21, 23, 24, 26}
    assert np.array_equal(np.where(instances >= 1000, instances // 1000, instances), ids)
    assert not list(tmp_path.rglob("*labelTrainIds*"))  # as in the download: `prepare cityscapes` makes them


def test_the_official_script_draws_the_labels_from_the_polygons(tmp_path):
    script = pytest.importorskip("cityscapesscripts.preparation.json2labelImg")
    generate(tmp_path, num_images=(3, 1), size=(256, 128))
    for polygons in tmp_path.rglob("*_polygons.json"):
        script.json2labelImg(str(polygons), str(tmp_path / "drawn.png"), "ids")
        label = Image.open(str(polygons).replace("_polygons.json", "_labelIds.png"))
        assert np.array_equal(np.array(Image.open(tmp_path / "drawn.png")), np.array(label))


def test_outlines_drawn_again_give_the_label_back():
    label = np.full((40, 60), 7, np.uint8)
    label[5:30, 5:50] = 11
    label[10:20, 10:40] = 7  # a hole with something in it
    label[14, 20] = 26
    label[35:, :] = 8
    assert np.array_equal(draw(outlines(label), (60, 40)), label)


def test_a_folder_with_other_data_is_left_alone(tmp_path):
    (tmp_path / "leftImg8bit").mkdir()
    with pytest.raises(UsageError, match="holds leftImg8bit, which were not generated here"):
        generate(tmp_path)


@pytest.mark.parametrize("change", [{"seed": 5}, {"size": (64, 64)}, {"num_images": (1, 1)}])
def test_a_folder_with_another_generated_set_is_left_alone(tmp_path, change):
    generate(tmp_path)
    before = files(tmp_path)
    with pytest.raises(UsageError, match="generated"):
        generate(tmp_path, **change)
    assert files(tmp_path) == before

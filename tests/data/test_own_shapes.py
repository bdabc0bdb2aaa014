"""Outlines of labelme and COCO become masks."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from paddleisa.data.prepare.own.find import find_files
from paddleisa.data.prepare.own.shapes import decode_runs, runs_of, shapes_in
from paddleisa.errors import DataError

SQUARE = [[2, 1], [5, 1], [5, 4], [2, 4]]  # x 2..5, y 1..4, borders included, as labelme draws


def square():
    mask = np.zeros((6, 8), np.uint8)
    mask[1:5, 2:6] = 1
    return mask


def opened(root, **files):
    """The annotations in a folder with one 8x6 image and JSON files."""
    (root / "images").mkdir()
    Image.new("RGB", (8, 6)).save(root / "images/p.png")
    for name, content in files.items():
        (root / f"{name}.json").write_text(json.dumps(content))
    return shapes_in(find_files(root, root / "out"))


def labelme(*shapes, path="p.png"):
    return {"imagePath": path, "shapes": list(shapes), "imageData": None}


def shape(label, points, kind="polygon", **more):
    return {"label": label, "points": points, "shape_type": kind, **more}


@pytest.mark.parametrize(
    "drawn",
    [
        shape("cat", SQUARE),
        shape("cat", [SQUARE[0], SQUARE[2]], "rectangle"),
        shape("cat", [SQUARE[2], SQUARE[0]], "rectangle"),
    ],
    ids=["polygon", "rectangle", "rectangle drawn upwards"],
)
def test_labelmes_areas_are_drawn(tmp_path, drawn):
    found = opened(tmp_path, p=labelme(drawn))
    assert found.names == ["background", "cat"] and found.images == [tmp_path / "images/p.png"]
    np.testing.assert_array_equal(found.read(0), square())


def test_labelmes_masks_are_pasted(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(np.ones((4, 4), bool)).save(stream, "PNG")
    drawn = shape("cat", [[2, 1], [5, 4]], "mask", mask=base64.b64encode(stream.getvalue()).decode())
    np.testing.assert_array_equal(opened(tmp_path, p=labelme(drawn)).read(0), square())


def test_later_shapes_lie_on_top_and_ignore_is_ignored(tmp_path):
    found = opened(tmp_path, p=labelme(shape("a", SQUARE), shape("b", SQUARE[:3]), shape("__ignore__", [[0, 0]] * 3)))
    mask = found.read(0)
    assert found.names == ["background", "a", "b"] and mask[0, 0] == 255 and mask[1, 5] == 2 and mask[4, 2] == 1


def coco(segmentation, **more):
    return {
        "images": [{"id": 7, "file_name": "p.png", "width": 8, "height": 6}],
        "categories": [{"id": 3, "name": "cat"}, {"id": 90, "name": "dog"}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "segmentation": segmentation, **more}],
    }


def runs(mask):
    """The run lengths of a mask, down the columns."""
    flat = np.concatenate([[0], mask.T.ravel(), [2]])
    places = np.flatnonzero(np.diff(flat))
    return np.diff(np.concatenate([[0], places])).tolist()


@pytest.mark.parametrize(
    "segmentation",
    [[[value for point in SQUARE for value in point]], {"size": [6, 8], "counts": runs(square())}],
    ids=["polygon", "run lengths"],
)
def test_cocos_areas_are_drawn(tmp_path, segmentation):
    found = opened(tmp_path, anno=coco(segmentation))
    assert found.names == ["background", "cat", "dog"]
    np.testing.assert_array_equal(found.read(0), square())


def test_in_coco_what_is_small_lies_on_top(tmp_path):
    content = coco([[0, 0, 7, 0, 7, 5, 0, 5]])
    small = {**content["annotations"][0], "category_id": 90, "segmentation": [[v for p in SQUARE for v in p]]}
    content["annotations"].insert(0, small)
    np.testing.assert_array_equal(opened(tmp_path, anno=content).read(0), square() + 1)


@pytest.mark.parametrize("seed", range(5))
def test_cocos_compressed_run_lengths_are_those_of_pycocotools(seed):
    mask_api = pytest.importorskip("pycocotools.mask")
    mask = np.random.default_rng(seed).random((37, 53)) < (0.02 if seed else 0.5)
    encoded = mask_api.encode(np.asfortranarray(mask.astype(np.uint8)))
    np.testing.assert_array_equal(decode_runs(runs_of(encoded["counts"].decode()), 37, 53), mask)


def test_run_lengths_of_another_size_are_refused(tmp_path):
    found = opened(tmp_path, anno=coco({"size": [5, 8], "counts": [40]}))
    with pytest.raises(DataError, match="run lengths of 8x6 pixels"):
        found.read(0)


def test_an_image_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="x.json: its image 'q.png' is not there"):
        opened(tmp_path, x=labelme(path="q.png"))


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("annotations.xml", "<annotations/>", "CVAT's own XML is not read.*COCO 1.0"),
        ("export.json", '[{"annotations": [], "data": {}}]', "Label Studio's own JSON is not read.*COCO"),
        ("half.json", '{"shapes": [', "half.json: the JSON file cannot be read"),
        ("odd.json", '{"shapes": [{"label": "a"}]}', "no label or no points"),
        ("bad.json", '{"images": [{}], "annotations": [], "categories": []}', "not in COCO's form"),
    ],
)
def test_what_cannot_be_read_says_what_to_do(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=words):
        opened(tmp_path)


def test_other_json_files_are_no_annotations(tmp_path):
    assert opened(tmp_path, settings={"a": 1}) is None

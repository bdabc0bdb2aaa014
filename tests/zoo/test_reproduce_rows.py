"""The four published rows end to end: data in both layouts, weights downloaded from loopback, both protocols."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import lab_row
import numpy as np
import pytest
from PIL import Image

from paddleisa.cli.main import main

ROWS = {
    "isanet_resnet50_os8_cityscapes_769x769_80k": "cityscapes",
    "isanet_resnet101_os8_cityscapes_769x769_80k": "cityscapes",
    "isanet_resnet50_os8_voc12aug_512x512_40k": "pascal_voc12",
    "isanet_resnet101_os8_voc12aug_512x512_40k": "pascal_voc12",
}
SIZE, IMAGES = (48, 64), 4
OPTS = ["val_dataset.transforms.0.target_size=[65, 49]"]  # instead of 2049x1025 and 512x512
# The 8 classes of Scenes: road, sidewalk, building, pole, vegetation, sky, person, car.
TO_CITYSCAPES = [0, 1, 2, 5, 8, 10, 11, 13]
TO_VOC = [0, 0, 0, 5, 16, 0, 15, 7]


def draw(number):
    from paddleisa.datasets.scenes import draw_scene

    return draw_scene(np.random.default_rng(number), *SIZE)


def renumbered(label, ids):
    table = np.full(256, 255, np.uint8)
    table[: len(ids)] = ids
    return table[label]


def write_cityscapes(root):
    for number in range(IMAGES):
        img, label = draw(number)
        name = f"frankfurt_{number:06d}_000019"
        for folder, ending, picture in (
            ("leftImg8bit", "leftImg8bit", img),
            ("gtFine", "gtFine_labelTrainIds", renumbered(label, TO_CITYSCAPES)),
        ):
            path = root / folder / "val" / "frankfurt" / f"{name}_{ending}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)


def write_voc(root):
    from paddleisa.datasets import PascalVOC

    names = [f"2007_{number:06d}" for number in range(IMAGES)]
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / "VOC2012" / folder).mkdir(parents=True)
    for number, name in enumerate(names):
        img, label = draw(100 + number)
        Image.fromarray(img).save(root / "VOC2012" / "JPEGImages" / f"{name}.jpg", quality=95)
        png = Image.fromarray(renumbered(label, TO_VOC)).convert("P")
        png.putpalette(PascalVOC.palette.tobytes())
        png.save(root / "VOC2012" / "SegmentationClass" / f"{name}.png")
    (root / "VOC2012/ImageSets/Segmentation/val.txt").write_text("\n".join(names) + "\n")


@pytest.fixture
def published(tmp_path, monkeypatch, server, serve, manifest):
    """A mirror on loopback with weights of the four rows in the published format; the folder is the working one."""
    import paddle
    import reference

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PADDLEISA_MIRROR", server.root)
    write_cityscapes(tmp_path / "data/cityscapes")
    write_voc(tmp_path / "data/VOCdevkit")
    for name, part in ROWS.items():
        path = tmp_path / "server" / f"{name}.pdparams"
        state = {key: paddle.to_tensor(reference.weight(key, shape)) for key, shape, _ in manifest[name]["state"]}
        paddle.save(state, str(path))
        address = f"/bj.bcebos.com/paddleseg/dygraph/{part}/{name}/model.pdparams"
        server.add(address, lambda h, path=path: serve.file(path.read_bytes())(h))
    yield tmp_path
    for folder in ("server", "home"):  # 1.5 GB that pytest would keep
        shutil.rmtree(tmp_path / folder, ignore_errors=True)


@pytest.mark.slow
def test_all_four_rows_under_both_protocols_equal_val_run_separately(published, capsys, server):
    assert main(["reproduce", "--json", "all.json", "--opts", *OPTS]) == 1  # random weights reproduce nothing
    out = capsys.readouterr().out
    assert out.count("NOT REPRODUCED: 4 of 4 published scores missed") == 4
    assert len(server.seen) == 4  # one transfer of each file
    rows = {row["model"]: row for row in json.loads(Path("all.json").read_text())["models"]}
    assert list(rows) == list(ROWS)
    for name, row in rows.items():
        weights = Path(row["weights"])
        assert row["weights_sha256"] == lab_row.sha256(weights) == lab_row.sha256(published / f"server/{name}.pdparams")
        found = {f"{s['protocol']}/{s['way']}": s for s in row["scores"]}
        separate = lab_row.separate_matrices(weights, name, OPTS)
        assert found.keys() == separate.keys()
        for key, matrix in separate.items():
            np.testing.assert_array_equal(found[key]["confusion_matrix"], matrix, err_msg=f"{name} {key}")
        command = ["val", "--config", name, "--flip_horizontal", "--scales", "0.75", "1.0", "1.25"]
        assert main([*command, "--protocol", "published", "--json", "val.json", "--opts", *OPTS]) == 0
        assert json.loads(Path("val.json").read_text())["miou"] == found["paddleseg-2021/ms_flip"]["miou"]
        html = (published / f"output/reproduce/{name}/report.html").read_text()
        assert html.count("data:image/png;base64,") == 2 * IMAGES
    assert (published / "output/reproduce/report.html").stat().st_size > 100_000

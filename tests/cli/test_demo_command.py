"""The demo, shortened to a few iterations."""

import json

import pytest

from paddleisa.cli.main import main
from paddleisa.datasets.images import read_image

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    command = ["demo", "--iters", "3", "--save-dir", str(folder / "out"), "--json", str(folder / "demo.json")]
    assert main(command) == 0
    return folder / "out", json.loads((folder / "demo.json").read_text()), command


def test_it_scores_every_way_of_the_published_table(done):
    folder, result, _ = done
    assert list(result["scores"]) == [
        "single scale",
        "flip",
        "ms+flip, paddleseg-2021",
        "ms+flip, paddleseg-2023",
    ]
    report = (folder / "report.md").read_text()
    for way, scores in result["scores"].items():
        assert f"| {way} | {100 * scores['miou']:.2f} |" in report


@pytest.mark.parametrize("picture", ["first_look.png", "scenes.png", "shipped_model.png"])
def test_its_pictures_show_three_columns_of_scenes(done, picture):
    folder, _, _ = done
    height, width = read_image(folder / picture).shape[:2]
    assert width > 3 * 256
    assert height > 6 * 128


def test_a_second_run_goes_on_where_the_first_ended(done, capsys):
    folder, first, command = done
    before = {p: p.stat().st_mtime_ns for p in (folder / "train").glob("iter_*/*")}
    assert main(command) == 0
    assert before == {p: p.stat().st_mtime_ns for p in (folder / "train").glob("iter_*/*")}
    assert "resumed from" in capsys.readouterr().out

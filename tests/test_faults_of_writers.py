"""Every operation of preparing and exporting on the disk fails once: what was there stays, and the next run goes on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from faults import CODES, fails, in_fresh_process, killed, points

from paddleisa.config import load_config
from paddleisa.data.prepare import manifest
from paddleisa.errors import PaddleISAError

TINY = Path(__file__).parent / "training" / "tiny" / "tiny.yml"


def preparation(folder: Path) -> None:
    """Two generated scenes in Cityscapes' layout, and the labels that training reads."""
    from paddleisa.data.prepare.cityscapes import prepare_cityscapes
    from paddleisa.data.synthetic.write import prepare_scenes

    prepare_scenes(folder / "city", "cityscapes", (1, 1), (64, 32), workers=0, progress=False)
    prepare_cityscapes(folder / "city", workers=0, progress=False)


def export(folder: Path) -> None:
    """The tiny network for Paddle Inference, over an earlier export."""
    import paddle

    from paddleisa.build import build_model
    from paddleisa.deploy.export.export import export_model

    config = load_config(TINY)
    paddle.seed(1)
    export_model(build_model(config), config, folder / "model", say=lambda line: None)


def content(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, but for locks; of an export, whether its description knows that hash.

    Paddle does not write the same bytes twice.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock"))
    found = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    description = folder / "model" / "deploy.yaml"
    if description.is_file():
        text = description.read_text()
        for name, digest in found.items():
            found[name] = "as described" if digest in text or name == "model/deploy.yaml" else "other"
    return found


def half_there(place: Path, expected: dict[str, str]) -> list[str]:
    """Names of files that hold something else than in the end; the manifest, written first and last, reads whole."""
    wrong = [name for name, digest in content(place).items() if digest != expected.get(name, digest)]
    for name in [name for name in wrong if Path(name).name == manifest.NAME]:
        json.loads((place / name).read_text())
        wrong.remove(name)
    return wrong


def check(job, expected: dict[str, str], place: Path, what: str) -> None:
    """No file is half there, and the job run again ends as it does without a fault."""
    assert half_there(place, expected) == [], what
    assert not [path for path in place.rglob("*") if path.name.endswith(".part") and job is export], what
    job(place)
    assert content(place) == expected, what


def error_everywhere(job, folder: Path, step: int) -> None:
    """Every ``step``-th operation of the job fails once, with the codes in turn."""
    job(folder / "dry")
    expected = content(folder / "dry")
    operations = points(job, folder / "again") if job is preparation else points(job, folder / "dry")
    for number, index in enumerate(range(0, len(operations), step)):
        place = folder / str(index)
        if job is export:
            job(place)  # an earlier one, which is replaced
        error = fails(job, place, index, CODES[number % len(CODES)])
        assert isinstance(error, PaddleISAError), operations[index]
        check(job, expected, place, operations[index])


def kill_everywhere(name: str, folder: str, step: int) -> None:
    """The process is killed before every ``step``-th operation. Runs in a process that has not computed."""
    state = json.loads((Path(folder) / "expected.json").read_text())
    for index in range(0, len(state["operations"]), step):
        place = Path(folder) / f"killed{index}"
        assert killed(JOBS[name], place, index), state["operations"][index]
        assert half_there(place, state["files"]) == [], state["operations"][index]
        assert not killed(JOBS[name], place, -1)
        assert content(place) == state["files"], state["operations"][index]


JOBS = {"preparation": preparation, "export": export}
STEPS = [pytest.param("preparation", 25), *(pytest.param(name, 1, marks=pytest.mark.slow) for name in JOBS)]


@pytest.mark.parametrize(("name", "step"), STEPS)
def test_whichever_operation_fails_no_file_is_half_there_and_the_next_run_ends_the_same(tmp_path, name, step):
    error_everywhere(JOBS[name], tmp_path, step)


@pytest.mark.parametrize(("name", "step"), STEPS)
def test_wherever_it_is_killed_no_file_is_half_there_and_the_next_run_ends_the_same(tmp_path, name, step):
    operations = points(JOBS[name], tmp_path / "dry")
    (tmp_path / "expected.json").write_text(json.dumps({"operations": operations, "files": content(tmp_path / "dry")}))
    in_fresh_process("test_faults_of_writers", "kill_everywhere", name, str(tmp_path), step)

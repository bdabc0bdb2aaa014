"""Every operation of preparing, unpacking and exporting on the disk fails once: what was there stays."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest
from faults import CODES, fails, files_at_most, in_fresh_process, killed, killed_within, points

from paddleisa.config import load_config
from paddleisa.data.prepare import scenes
from paddleisa.errors import PaddleISAError, UsageError
from paddleisa.utils.process import exclusive

TINY = Path(__file__).parent / "training" / "tiny" / "tiny.yml"


def preparation(folder: Path) -> None:
    """Two generated scenes in Cityscapes' layout, and the labels that training reads."""
    from paddleisa.data.prepare.cityscapes import prepare_cityscapes
    from paddleisa.data.prepare.scenes import prepare_scenes

    prepare_scenes(folder / "city", "cityscapes", (1, 1), (64, 32), workers=0, progress=False)
    prepare_cityscapes(folder / "city", workers=0, progress=False)


def unpacking(folder: Path) -> None:
    """An archive of a data set, which lies beside the folder, brought into it."""
    from paddleisa.data.prepare.unpack import unpack

    unpack(folder.parent / "data.zip", folder / "data", progress=False)


@pytest.fixture(autouse=True)
def archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as out:
        for number in range(3):
            out.writestr(f"leftImg8bit/train/{number}.png", bytes([number]) * (1000 + number))


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
    for name in [name for name in wrong if Path(name).name == scenes.NAME]:
        json.loads((place / name).read_text())
        wrong.remove(name)
    return wrong


def check(job, expected: dict[str, str], place: Path, what: str) -> None:
    """No file is half there, and the job run again ends as it does without a fault."""
    assert half_there(place, expected) == [], what
    assert not [path for path in place.rglob("*") if path.name.endswith(".part") and job is export], what
    job(place)
    assert content(place) == expected, what


def run_before(job, place: Path) -> Path:
    """The folder of the next run: of an export, with an earlier one to replace."""
    earlier = place.parent / "dry"
    if job is export and earlier.exists():
        shutil.copytree(earlier, place)
    elif job is export:
        job(place)
    return place


def error_everywhere(job, folder: Path, step: int) -> None:
    """Every ``step``-th operation of the job fails once: with each code in turn, or where it is every one, with all."""
    expected, operations = dry_run(job, folder)
    for number, index in enumerate(range(0, len(operations), step)):
        for code in CODES if step == 1 else (CODES[number % len(CODES)],):
            place, what = run_before(job, folder / f"{index}-{code}"), f"{operations[index]} fails with {code}"
            assert isinstance(fails(job, place, index, code), PaddleISAError), what
            check(job, expected, place, what)


def dry_run(job, folder: Path) -> tuple[dict[str, str], list[str]]:
    """What the job leaves, and its operations: of an export, those that replace an earlier one."""
    place = run_before(job, folder / "dry")
    operations = points(job, place)
    return content(place), operations


def kill_everywhere(name: str, folder: str, step: int) -> None:
    """The process is killed before every ``step``-th operation. Runs in a process that has not computed."""
    state = json.loads((Path(folder) / "expected.json").read_text())
    for index in range(0, len(state["operations"]), step):
        place = run_before(JOBS[name], Path(folder) / f"killed{index}")
        assert killed(JOBS[name], place, index), state["operations"][index]
        assert half_there(place, state["files"]) == [], state["operations"][index]
        assert not killed(JOBS[name], place, -1)
        assert content(place) == state["files"], state["operations"][index]


def sizes(folder: Path) -> list[int]:
    """Half the length of every file that a job leaves, each once: a limit that is met inside the file."""
    return sorted({path.stat().st_size // 2 for path in folder.rglob("*") if path.is_file()} - {0})


def kill_within(name: str, folder: str, halves: list[int]) -> None:
    """The process is killed in the middle of a write. Runs in a process that has not computed."""
    state = json.loads((Path(folder) / "expected.json").read_text())
    for size in halves:
        place = run_before(JOBS[name], Path(folder) / f"within{size}")
        assert killed_within(JOBS[name], place, size), size
        assert half_there(place, state["files"]) == [], size
        assert not killed(JOBS[name], place, -1)
        assert content(place) == state["files"], size


JOBS = {"preparation": preparation, "unpacking": unpacking, "export": export}
SOME = [("preparation", 25), ("unpacking", 2)]
STEPS = [*SOME, *(pytest.param(name, 1, marks=pytest.mark.slow) for name in JOBS)]
QUICK = {"unpacking"}
NAMES = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in JOBS]


def note(folder: Path, expected: dict[str, str], operations: list[str]) -> None:
    """What a process of its own has to know."""
    (folder / "expected.json").write_text(json.dumps({"operations": operations, "files": expected}))


@pytest.mark.parametrize(("name", "step"), STEPS)
def test_whichever_operation_fails_no_file_is_half_there_and_the_next_run_ends_the_same(tmp_path, name, step):
    error_everywhere(JOBS[name], tmp_path, step)


@pytest.mark.parametrize(("name", "step"), STEPS)
def test_wherever_it_is_killed_no_file_is_half_there_and_the_next_run_ends_the_same(tmp_path, name, step):
    note(tmp_path, *dry_run(JOBS[name], tmp_path))
    in_fresh_process("test_faults_of_writers", "kill_everywhere", name, str(tmp_path), step)


@pytest.mark.parametrize("name", NAMES)
def test_a_disk_that_is_full_in_the_middle_of_a_file_leaves_what_was_there(tmp_path, name):
    """Also of files that Paddle and zip write by themselves: the system refuses what lies beyond a length."""
    expected, _ = dry_run(JOBS[name], tmp_path)
    for size in sizes(tmp_path / "dry"):
        place = run_before(JOBS[name], tmp_path / str(size))
        with pytest.raises(PaddleISAError), files_at_most(size):
            JOBS[name](place)
        check(JOBS[name], expected, place, str(size))


@pytest.mark.parametrize("name", NAMES)
def test_a_kill_in_the_middle_of_a_file_leaves_what_was_there(tmp_path, name):
    note(tmp_path, *dry_run(JOBS[name], tmp_path))
    in_fresh_process("test_faults_of_writers", "kill_within", name, str(tmp_path), sizes(tmp_path / "dry"))


def test_a_second_export_to_a_folder_is_refused_with_the_process_of_the_first(tmp_path):
    holder = exclusive(tmp_path / "model", "exporting to this folder", "Wait")
    with holder, pytest.raises(UsageError, match=f"process {os.getpid()} on .* is exporting to this folder"):
        export(tmp_path)

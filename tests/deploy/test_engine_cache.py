"""Converted models are kept by content, checked, and made again when they are not what they were."""

import copy
import json
import os
import subprocess
import sys
import textwrap
import threading
import time

import paddle
import pytest
from deploy_models import small_model

from paddleisa.deploy.export import formats
from paddleisa.deploy.export.model_digest import structure_digest, weights_digest
from paddleisa.deploy.runtimes import cache
from paddleisa.deploy.runtimes.cache import cached, converted

PARTS = {"weights": "abc", "format": "onnx"}


class Build:
    """Writes two files, and counts how often."""

    def __init__(self, text="content", seconds=0.0):
        self.text, self.seconds, self.times = text, seconds, 0

    def __call__(self, folder):
        self.times += 1
        (folder / "a").write_text(self.text)
        time.sleep(self.seconds)
        (folder / "b").write_text(self.text)


def test_an_entry_is_made_once(fresh_home):
    build = Build()
    first, second = cached(PARTS, build), cached(dict(reversed(PARTS.items())), build)
    assert first[0] == second[0] and first[0].parent == fresh_home / "engines"
    assert (first[1], second[1], build.times) == (False, True, 1)
    assert (first[0] / "b").read_text() == "content"
    assert json.loads((first[0] / "manifest.json").read_text())["made_from"] == PARTS


def test_other_parts_are_another_entry(fresh_home):
    assert cached(PARTS, Build())[0] != cached({**PARTS, "weights": "abd"}, Build())[0]


@pytest.mark.parametrize("damage", ["changed", "truncated", "missing", "manifest", "empty manifest", "emptied"])
def test_a_damaged_entry_is_made_again(fresh_home, damage):
    folder, _ = cached(PARTS, Build())
    if damage in ("changed", "truncated"):
        (folder / "b").write_text({"changed": "kontent", "truncated": "con"}[damage])
    elif damage == "missing":
        (folder / "b").unlink()
    elif damage == "emptied":
        for file in folder.iterdir():
            file.unlink()
    else:
        (folder / "manifest.json").write_text("{" if damage == "manifest" else "{}")
    build = Build()
    again, warm = cached(PARTS, build)
    assert (again, warm, build.times) == (folder, False, 1)
    assert (folder / "b").read_text() == "content"


def test_a_build_that_fails_leaves_nothing(fresh_home):
    def fail(folder):
        (folder / "a").write_text("half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cached(PARTS, fail)
    assert [path.suffix for path in (fresh_home / "engines").iterdir()] == [".lock"]


def test_what_a_killed_process_left_is_swept(fresh_home):
    leftover = fresh_home / "engines" / f".{cache.cache_key(PARTS)}.12345678.part"
    leftover.mkdir(parents=True)
    (leftover / "a").write_text("half")
    cached(PARTS, Build())
    assert not leftover.exists()


def test_two_at_once_make_it_once(fresh_home):
    build, found = Build(seconds=0.3), []
    threads = [threading.Thread(target=lambda: found.append(cached(PARTS, build))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert build.times == 1
    assert sorted(warm for _, warm in found) == [False, True, True]


def test_the_least_recently_used_entries_go(fresh_home, monkeypatch):
    monkeypatch.setattr(cache, "KEEP", 2)
    folders = []
    for number in range(3):
        folder, _ = cached({"number": number}, Build())
        os.utime(folder, (number, number))
        folders.append(folder)
        if number == 1:
            cached({"number": 0}, Build())  # used again just now
    assert [folder.exists() for folder in folders] == [True, False, True]


def conversions(monkeypatch):
    """A stand-in for the conversion that counts."""
    made = []

    def write(model, format, folder, output_op):
        made.append(format)
        (folder / "model.x").write_text(format)
        return formats.Written(format, [folder / "model.x"], [], False)

    monkeypatch.setattr(formats, "write_checked", write)
    return made


def test_a_model_is_converted_once_for_each_format(fresh_home, model, monkeypatch):
    made = conversions(monkeypatch)
    for format in ("onnx", "paddle", "onnx"):
        files, accelerators = converted(model, format)
        assert files[0].read_text() == format and not any(accelerators.values())
    assert made == ["onnx", "paddle"]


def test_a_model_that_computes_something_else_is_another_entry(fresh_home, monkeypatch):
    made = conversions(monkeypatch)
    converted(small_model(), "onnx")
    converted(small_model(), "onnx")  # an equal one is not
    assert len(made) == 1
    converted(small_model(align_corners=True), "onnx")
    converted(small_model(upsample="half_pixel"), "onnx")
    other = small_model()
    with paddle.no_grad():
        other.head.cls[1].bias.set_value(other.head.cls[1].bias + 1e-6)
    converted(other, "onnx")
    assert len(made) == 4


def test_another_version_of_a_converter_is_another_entry(fresh_home, model, monkeypatch, converter):
    made = conversions(monkeypatch)
    converted(model, "onnx")
    converter("99")
    converted(model, "onnx")
    assert len(made) == 2


def test_digests_tell_weights_and_structure_apart(model):
    same, other = copy.deepcopy(model), small_model(seed=2)
    assert (weights_digest(same), structure_digest(same)) == (weights_digest(model), structure_digest(model))
    assert weights_digest(other) != weights_digest(model)
    assert structure_digest(other) == structure_digest(model)
    same.train()
    assert structure_digest(same) == structure_digest(model)


@pytest.mark.slow
def test_another_process_finds_the_entry(tmp_path):
    code = """
        import sys; sys.path[:0] = %r
        from deploy_models import small_model
        import paddle
        if len(sys.argv) > 1: paddle.nn.Conv2D(1, 1, 1)  # layers made before change only layers' running numbers
        from paddleisa.deploy.export.model_digest import structure_digest, weights_digest
        model = small_model()
        print(weights_digest(model), structure_digest(model))
    """
    code = textwrap.dedent(code % [str(path) for path in sys.path])
    said = [
        subprocess.run([sys.executable, "-c", code, *more], capture_output=True, text=True, check=True).stdout
        for more in ((), ("x",))
    ]
    assert said[0].split()[-2:] == said[1].split()[-2:]

"""The run log of a killed training: repaired, and continued without a gap or a repetition."""

from __future__ import annotations

import json
import random
import re
import signal
import struct
import subprocess
import sys
import time

import numpy as np
import pytest

from paddleisa.training.logging import open_run_log, visualdl
from paddleisa.training.logging.sinks import rewind_json, rewind_text

RUN = "visualdl/vdlrecords.paddleisa.log"
FILES = ("train.log", "log.jsonl", RUN)

# Logs steps until it is killed (or until LAST); every 25th is a checkpoint. `done` holds the last step whose call
# returned. Values depend on the step alone.
TRAINING = """
import os, struct, sys
import numpy as np
from paddleisa.training.logging import open_run_log
folder, start, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
done = os.open(folder + "/done", os.O_RDWR | os.O_CREAT)
checkpoint = os.open(folder + "/checkpoint", os.O_RDWR | os.O_CREAT)
with open_run_log(folder, iters=10**6, batch_size=1, use_vdl=True, resume_at=start or None, log_iters=1) as log:
    log.hparams({"lr": 0.5})
    for i in range(start + 1, last + 1):
        log.step(i, 1, {"main": i / 4}, 0.5, 1.0, 0.0)
        if i % 25 == 0:
            log.images(i, {"overlay": image})
        os.pwrite(done, struct.pack("<Q", i), 0)
        if i % 25 == 0:
            os.pwrite(checkpoint, struct.pack("<Q", i), 0)
"""


def train(folder, start, last, steps=None, seconds=0.0):
    """Train to the end, or until ``steps`` are done and killed after ``seconds`` more."""
    (folder / "done").unlink(missing_ok=True)
    command = [sys.executable, "-c", TRAINING, str(folder), str(start), str(last)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    if steps is None:
        assert process.wait(60) == 0
        return
    deadline = time.monotonic() + 60
    while steps and number(folder / "done") < start + steps and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()


def number(path):
    data = path.read_bytes() if path.exists() else b""
    return struct.unpack("<Q", data)[0] if len(data) == 8 else 0


def steps_of(folder):
    """The steps in each of the three files, in their order, with VisualDL's values and images."""
    from visualdl import LogReader

    reader = LogReader(file_path=str(folder / RUN))
    text = [int(i) for i in re.findall(r"iter: (\d+)/", (folder / "train.log").read_text())]
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    points = [(p.id, p.value) for p in reader.get_data("scalar", "Train/loss_main")]
    images = [p.id for p in reader.get_data("image", "Predictions/overlay")]
    return text, [r["iteration"] for r in lines if r["kind"] == "train"], points, images


def test_a_run_killed_again_and_again_has_every_step_exactly_once(tmp_path):
    rng, start, written_steps = random.Random(3), 0, 0
    for attempt in range(5):
        at_start = attempt == 3  # while it imports, or repairs the files
        train(tmp_path, start, 10**6, 0 if at_start else rng.randint(10, 40), rng.uniform(0, 0.5 if at_start else 0.01))
        if reached := number(tmp_path / "done"):
            steps = frame_steps((tmp_path / RUN).read_bytes())
            assert steps[-1] in (reached, reached + 1), "lost: a step whose call had returned"
            written_steps += reached - start
        start = number(tmp_path / "checkpoint")
    assert written_steps >= 40
    train(tmp_path, start, start + 30)
    text, lines, points, images = steps_of(tmp_path)
    expected = list(range(1, start + 31))
    assert text == expected
    assert lines == expected
    assert points == [(i, i / 4) for i in expected]
    assert images == [i for i in expected if i % 25 == 0]


def frames(data):
    """Ends of the whole frames, by the format's definition."""
    ends, at = [], 0
    while at + 8 <= len(data) and at + 8 + int.from_bytes(data[at : at + 8], "little") <= len(data):
        at += 8 + int.from_bytes(data[at : at + 8], "little")
        ends.append(at)
    return ends


def frame_steps(data):
    from visualdl.proto.record_pb2 import Record

    ends = frames(data)
    values = [Record.FromString(data[a + 8 : b]).values[0] for a, b in zip([0, *ends], ends, strict=False)]
    return [value.id for value in values if value.tag == "Train/loss_main"]


def short_run(folder, last=3, **options):
    with open_run_log(folder, iters=100, batch_size=1, use_vdl=True, log_iters=1, **options) as log:
        log.hparams({"lr": 0.5})
        for i in range((options.get("resume_at") or 0) + 1, last + 1):
            log.step(i, 1, {"main": i / 4}, 0.5, 1.0, 0.0)
            if i == 2:
                log.images(i, {"overlay": np.zeros((2, 2, 3), np.uint8)})


def test_a_record_file_torn_at_any_byte_is_cut_at_its_last_whole_record(tmp_path):
    short_run(tmp_path, last=1)
    data = (tmp_path / RUN).read_bytes()
    ends, torn = [0, *frames(data)], tmp_path / "vdlrecords.torn.log"
    for size in range(len(data) + 1):
        torn.write_bytes(data[:size])
        visualdl.rewind(torn, 3)
        assert torn.read_bytes() == data[: max(end for end in ends if end <= size)]


@pytest.mark.parametrize(("name", "rewind"), [("train.log", rewind_text), ("log.jsonl", rewind_json)])
def test_a_text_file_torn_at_any_byte_is_cut_at_its_last_whole_line(tmp_path, name, rewind):
    short_run(tmp_path, last=2)
    data = (tmp_path / name).read_bytes()
    for size in range(len(data) + 1):
        (tmp_path / name).write_bytes(data[:size])
        rewind(tmp_path / name, 3)
        assert (tmp_path / name).read_bytes() == data[: data[:size].rfind(b"\n") + 1]


@pytest.mark.parametrize(
    "tail", [bytes(4096), b"\xff" * 16, struct.pack("<Q", 2**63), struct.pack("<Q", 3) + b"\xff\xff\xff"]
)
def test_a_damaged_tail_is_cut(tmp_path, tail):
    short_run(tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in FILES}
    for name in FILES:
        (tmp_path / name).write_bytes(before[name] + tail)
    short_run(tmp_path, resume_at=3)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == before[name]


@pytest.mark.parametrize("checkpoint", [0, 1, 2, 3])
def test_resuming_makes_the_later_steps_again_and_the_hparams_not(tmp_path, checkpoint):
    from visualdl import LogReader

    short_run(tmp_path)
    short_run(tmp_path, resume_at=checkpoint, last=5)
    text, lines, points, images = steps_of(tmp_path)
    assert text == lines == [1, 2, 3, 4, 5]
    assert points == [(i, i / 4) for i in range(1, 6)]
    assert images == [2]
    reader = LogReader(file_path=str(tmp_path / RUN))
    assert len(reader.get_data("hyper_parameters", "hparam")) == 1
    assert len(reader.get_data("meta_data", "meta_data_tag")) == 1
    assert (tmp_path / "log.jsonl").read_text().count('"hparams"') == 1


def test_resuming_keeps_messages_up_to_the_checkpoint_and_drops_a_later_table(tmp_path):
    with open_run_log(tmp_path, iters=9, batch_size=1, log_iters=1) as log:
        log.message("total batch: 8")
        log.step(1, 1, {"main": 1.0}, 0.5, 1.0, 0.0)
        log.message("after one")
        log.step(2, 1, {"main": 1.0}, 0.5, 1.0, 0.0)
        log.message("after two\nroad 0.5")
    with open_run_log(tmp_path, iters=9, batch_size=1, resume_at=1) as log:
        log.message("resumed")
    lines = (tmp_path / "train.log").read_text().splitlines()
    assert [line.split("\t")[1].split(",")[0] for line in lines] == [
        "total batch: 8",
        "[TRAIN] epoch: 1",
        "after one",
        "resumed",
    ]


def test_a_resumed_run_without_earlier_logs_begins_them(tmp_path):
    short_run(tmp_path, resume_at=1)
    assert steps_of(tmp_path)[2] == [(2, 0.5), (3, 0.75)]


def test_an_earlier_run_that_is_moved_aside_is_repaired_for_the_board(tmp_path):
    short_run(tmp_path)
    data = (tmp_path / RUN).read_bytes()
    (tmp_path / RUN).write_bytes(data[:-5])
    short_run(tmp_path)
    assert (tmp_path / "visualdl.1/vdlrecords.paddleisa.log").read_bytes() == data[: frames(data)[-2]]


def test_files_that_need_no_repair_are_not_written_again(tmp_path):
    short_run(tmp_path)
    before = [(tmp_path / name).stat() for name in FILES]
    short_run(tmp_path, resume_at=3)
    after = [(tmp_path / name).stat() for name in FILES]
    assert [(s.st_ino, s.st_mtime_ns) for s in after] == [(s.st_ino, s.st_mtime_ns) for s in before]


FILLING = """
import resource, sys
from paddleisa.training.logging import open_run_log
from paddleisa.utils.files import WriteError
log = open_run_log(sys.argv[1], iters=1000, batch_size=1, use_vdl=True, log_iters=1)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), hard))
refused = 0
for i in range(1, 101):
    try:
        log.step(i, 1, {"main": i / 4}, 0.5, 1.0, 0.0)
    except WriteError as error:
        refused = refused or i
        assert "no space left" in str(error) and sys.argv[1] in str(error), error
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
log.step(101, 1, {"main": 101 / 4}, 0.5, 1.0, 0.0)
log.close()
print(refused, file=sys.stderr)
"""


@pytest.mark.parametrize("limit", [1000, 2500, 2501, 4000])
def test_a_full_disk_is_a_write_error_and_leaves_whole_files_that_go_on_when_there_is_room(tmp_path, limit):
    command = [sys.executable, "-c", FILLING, str(tmp_path), str(limit)]
    done = subprocess.run(command, check=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    refused = int(done.stderr.split()[-1])
    assert refused > 1
    data = (tmp_path / RUN).read_bytes()
    assert frames(data)[-1] == len(data)
    steps = frame_steps(data)
    assert steps[: refused - 1] == list(range(1, refused))
    assert steps[-1] == 101
    for line in (tmp_path / "log.jsonl").read_text().splitlines():
        json.loads(line)
    assert (tmp_path / "train.log").read_text().splitlines()[-1].count("iter: 101/") == 1

"""The command line as a whole: help, mistakes, exit codes."""

import errno
import importlib
import json
import re
import shutil
import subprocess
import sys

import pytest
from fuzz import fuzz
from hypothesis import given
from hypothesis import strategies as st

from paddleisa import __version__
from paddleisa.cli.main import COMMANDS, Parser, main
from paddleisa.errors import DataError

HEAVY = ("paddle", "cv2", "visualdl", "pydantic", "numpy")


@pytest.mark.parametrize("words", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_help_is_an_answer_and_no_mistake(call, words):
    answer = call(*words)
    assert answer.code == 0
    assert answer.out
    assert answer.err == ""


def test_the_help_names_every_command_with_its_summary(call):
    out = " ".join(call("--help").out.split())
    for name, summary in COMMANDS.items():
        assert f"{name} {summary}" in out


def test_the_version_is_the_packages(call):
    assert call("--version").out == f"paddleisa {__version__}\n"


def test_no_help_imports_anything_heavy():
    """In one process for all commands; what one imports, the next would find."""
    words = [["--help"], *([name, "--help"] for name in COMMANDS)]
    code = (
        "import io, json, sys, contextlib\n"
        "from paddleisa.cli.main import main\n"
        "found = {}\n"
        f"for words in {words!r}:\n"
        "    with contextlib.redirect_stdout(io.StringIO()):\n"
        "        main(words)\n"
        f"    found[' '.join(words)] = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print(json.dumps(found))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) == {" ".join(w): [] for w in words}


def test_the_module_runs_like_the_console_script():
    result = subprocess.run([sys.executable, "-m", "paddleisa", "vall"], capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith("paddleisa: error: there is no command 'vall'. Did you mean 'val'?")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["vall"], "there is no command 'vall'. Did you mean 'val'?"),
        (["zzz"], "there is no command 'zzz'. Choose one of: "),
        (["--config", "x", "val"], "The command comes first"),
        (["train"], "the following arguments are required: --config"),
        (["val", "--config", "x", "--modl_path", "y"], "--modl_path y. Did you mean '--model_path'?"),
        (["val", "--config", "x", "--modl-path=y"], "Did you mean '--model_path'?"),
        (["predict", "--config", "x", "--imagepath", "y"], "Did you mean '--image_path'?"),
        (["zoo", "list", "--jsn", "y"], "Did you mean '--json'?"),
        (["val", "--config", "x", "stray"], "unrecognized arguments: stray. See"),
        (["val", "--config", "x", ""], "unrecognized arguments: ''. See"),
        (["val", "--config", "x", "--model", "y"], "unrecognized arguments: --model y"),
        (["val", "--config", "x", "--scales", "big"], "argument --scales: invalid float value: 'big'"),
        (["val", "--config", "x", "--crop_size", "8"], "argument --crop_size: expected 2 arguments"),
        (["val", "--config", "x", "--crop_size", "0", "8"], "0 is not a number from 1"),
        (["val", "--config", "x", "--limit", "0"], "0 is not a number from 1"),
        (["val", "--config", "x", "--num_workers", "-1"], "-1 is not a number from 0"),
        (["val", "--config", "x", "--protocol", "2021"], "invalid choice: '2021'"),
        (["val", "--config", "x", "--json", "/"], "/ cannot be written"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_a_mistake_is_one_line_that_names_it_and_exit_code_2(call, words, message):
    answer = call(*words)
    assert answer.code == 2
    assert message in answer.err
    assert answer.err.count("\n") == 1
    assert answer.out == ""


def every_option():
    for name in COMMANDS:
        parser = Parser()
        importlib.import_module(f"paddleisa.cli.{name}").add_arguments(parser)
        yield from ((name, option) for option in sorted(parser.options()) if option.startswith("--"))


def test_every_option_can_be_spelled_with_dashes_and_with_underscores(monkeypatch):
    from paddleisa.cli.main import _with_underscores

    options = list(every_option())
    assert len(options) > 40
    for name, option in options:
        dashed = "--" + option[2:].replace("_", "-")
        assert _with_underscores(dashed) == option, (name, option)
        assert _with_underscores(f"{dashed}=a-b--c=d") == f"{option}=a-b--c=d", (name, option)


def test_values_keep_their_dashes(call):
    assert "'my-config--x'" in call("val", "--config", "my-config--x").err
    assert "'my-config--x'" in call("val", "--config=my-config--x").err


def test_no_option_can_be_shortened():
    """A prefix that is unique today means something else after the next release."""
    assert main(["val", "--conf", "x"]) == 2


def raising(error, monkeypatch):
    def run(args):
        raise error

    monkeypatch.setattr("paddleisa.cli.val.run", run)
    return main(["val", "--config", "x"])


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            DataError("it is bad", where="a.png", fix="Make it good"),
            2,
            "paddleisa: error: a.png: it is bad. Make it good",
        ),
        (KeyboardInterrupt(), 130, "paddleisa: interrupted"),
        (OSError(errno.ENOSPC, "No space left", "out.log"), 2, "out.log: no space left to write"),
        (OSError(errno.ENOSPC, "No space left"), 2, "a file: no space left to write"),
        (PermissionError(errno.EACCES, "Permission denied", "x.yml"), 2, "paddleisa: error: x.yml: Permission denied"),
    ],
    ids=["ours", "ctrl-c", "full disk", "full disk somewhere", "permission"],
)
def test_what_a_command_raises_becomes_one_line(error, code, message, monkeypatch, capsys):
    assert raising(error, monkeypatch) == code
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


class Silent(RuntimeError):
    def __str__(self):
        raise ValueError("no text")


PADDLES = (
    "\n\n--------------------------------------\nC++ Traceback (most recent call last):\n0 phi::Conv\n\n"
    "----------------------\nError Message Summary:\n----------------------\n"
    "InvalidArgumentError: The channels do not match.\n  [Hint: Expected 3 == 4] (at ../conv.cc:12)\n"
)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ZeroDivisionError("division by zero"), "a fault of paddleisa .*ZeroDivisionError: division by zero"),
        (OverflowError("too large"), "OverflowError: too large"),
        (ValueError(PADDLES), "ValueError: InvalidArgumentError: The channels do not match"),
        (Silent(), "Silent: its message cannot be made"),
        (GeneratorExit(), "GeneratorExit"),
        (MemoryError(), "there is not enough memory for this .*Make batch_size, crop_size"),
        (RuntimeError("OpenCV(4) error: (-4:Insufficient memory) Failed to allocate 9 bytes"), "not enough memory"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_what_nobody_has_foreseen_is_one_line_and_exit_code_1(error, message, monkeypatch, capsys):
    monkeypatch.delenv("PADDLEISA_TRACEBACK", raising=False)
    assert raising(error, monkeypatch) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert re.search(message, first)
    assert "PADDLEISA_TRACEBACK=1, shows where it comes from" in second


def test_the_traceback_is_shown_on_demand(monkeypatch, capsys):
    monkeypatch.setenv("PADDLEISA_TRACEBACK", "1")
    assert raising(ZeroDivisionError("division by zero"), monkeypatch) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_mistake_of_the_users_shows_its_traceback_on_demand_too(tmp_path):
    command = [sys.executable, "-m", "paddleisa", "val", "--traceback", "--config", str(tmp_path / "none.yml")]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert "Traceback (most recent call last)" in result.stderr


def test_a_reader_that_closes_the_pipe_gets_no_traceback():
    """`paddleisa zoo list | head -0`: the pipe is closed before anything is printed."""
    command = f"{sys.executable} -m paddleisa --help | true"
    result = subprocess.run(["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True)
    assert "Traceback" not in result.stderr


@pytest.fixture(scope="module")
def copy(project, tmp_path_factory):
    """A project of its own, since odd command lines write odd files."""
    return shutil.copytree(project, tmp_path_factory.mktemp("odd") / "project")


NO_SLASH = st.text(st.characters(exclude_characters="/\0", exclude_categories=()), max_size=6)  # stay in the project
CHUNKS = st.one_of(
    st.sampled_from([["--model_path", "w.pdparams"], ["--dry-run"], ["--limit", "1"], ["--is_slide"], ["--aug_eval"]]),
    st.tuples(st.sampled_from(["--opts", "--scales", "--crop_size", "--stride", "--device", "--plugin"]), NO_SLASH),
    st.tuples(st.sampled_from(["--json", "--save_dir", "--image_path", "--model_path", "--config"]), NO_SLASH),
    st.tuples(
        st.sampled_from(["--scales", "--limit", "--num_workers"]), st.sampled_from(["0", "-1", "nan", "0.01", "1e999"])
    ),
    st.tuples(
        st.just("--opts"),
        st.sampled_from(
            ["model.isa_channels=0", "model=", "=", "a.b.c=1", "val_dataset.transforms.7.x=1", "test_config=7"]
        ),
    ),
    st.tuples(st.sampled_from(["--image_path", "--config"]), st.sampled_from([".", "a" * 5000, "w.pdparams"])),
    st.lists(st.one_of(NO_SLASH, st.sampled_from(["--", "-", "-h", "\udcff"])), max_size=2),
)
STARTS = st.sampled_from(
    [
        ["val"],
        ["val", "--config", "tiny.yml"],
        ["predict", "--config", "tiny.yml", "--image_path", "data/c.png"],
        ["train", "--dry_run", "--config", "tiny.yml"],
        ["zoo", "list"],
        [],
    ]
)


@fuzz(100)
@given(start=STARTS, chunks=st.lists(CHUNKS, max_size=4))
def test_odd_command_lines_never_give_a_traceback(start, chunks, copy, monkeypatch):
    monkeypatch.chdir(copy)
    words = [word for chunk in chunks for word in chunk]
    assert main([*start, *words]) in (0, 2)

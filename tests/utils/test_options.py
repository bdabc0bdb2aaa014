"""Options declared once, in a dataclass: what a command asks for, and what Python callers get."""

import argparse
from dataclasses import dataclass

import pytest

from paddleisa.utils.options import add_options, from_options, gibibytes, natural, option, positive


@dataclass(frozen=True)
class Settings:
    device: str
    repeats: int = option(5, "runs")
    workers: int = option(0, "threads", type=natural)
    window: tuple[int, int] = option((8, 4), "its size", nargs=2, type=positive, metavar=("H", "W"))
    fresh: bool = option(False, "begin anew")
    resume: str | None = option(None, "a folder", flag="resume_model")
    progress: bool = True


def parser():
    made = argparse.ArgumentParser(exit_on_error=False)
    add_options(made, Settings)
    return made


def test_without_options_the_dataclass_has_its_defaults():
    assert from_options(Settings, parser().parse_args([]), device="cpu") == Settings("cpu")


def test_every_option_reaches_its_field_and_no_other_field_is_one():
    words = ["--repeats", "2", "--workers", "0", "--window", "3", "2", "--fresh", "--resume_model", "out"]
    assert from_options(Settings, parser().parse_args(words), device="cpu") == Settings(
        "cpu", 2, 0, (3, 2), True, "out"
    )
    with pytest.raises(SystemExit):
        parser().parse_args(["--progress"])


def test_the_help_tells_each_default_that_there_is():
    text = " ".join(parser().format_help().split())
    for line in ("runs (5)", "threads (0)", "its size (8 4)", "--fresh begin anew --resume_model"):
        assert line in text


@pytest.mark.parametrize(
    ("kind", "text"), [(positive, "0"), (natural, "-1"), (gibibytes, "0"), (gibibytes, "nan"), (gibibytes, "inf")]
)
def test_a_number_out_of_its_range_is_refused(kind, text):
    with pytest.raises(argparse.ArgumentTypeError, match=f"{text} is not a number"):
        kind(text)

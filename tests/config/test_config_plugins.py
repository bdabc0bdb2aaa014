"""Users' Python files."""

from __future__ import annotations

import subprocess
import sys

import pytest

from paddleisa.config import check, read_config
from paddleisa.errors import ConfigError

PLUGIN = """
    from paddleisa.registry import MODELS

    @MODELS.register
    class {name}:
        def __init__(self, num_classes: int, depth: int = 3):
            pass
"""


def model(name):
    return f"plugins: [parts/mine.py]\nmodel: {{type: {name}, num_classes: 2, depth: 4}}"


def test_a_plugin_is_relative_to_the_file_that_names_it(fakes, write):
    write("x/parts/mine.py", PLUGIN.format(name="Own1"))
    write("x/base.yml", model("Own1"))
    assert check(read_config(write("own.yml", "_base_: x/base.yml")), "model")["model"]["type"] == "Own1"


def test_a_plugin_of_the_command_line_is_relative_to_the_current_folder_and_joins_the_configs(fakes, write):
    write("mine.py", PLUGIN.format(name="Own2"))
    write("parts/mine.py", PLUGIN.format(name="Own3"))
    config = read_config(write("own.yml", model("Own2")), plugins=["mine.py"])
    assert check(config, "model")["model"]["type"] == "Own2"
    assert config.origin("plugins.1") == "--plugin mine.py"


def test_a_plugin_runs_once(fakes, write, tmp_path):
    write("parts/mine.py", PLUGIN.format(name="Own4"))
    path = write("own.yml", model("Own4"))
    check(read_config(path), "model")
    check(read_config(path), "model")


@pytest.mark.parametrize(
    ("code", "line", "words"),
    [
        ("x = 1\ny = 1 / 0\n", 2, "ZeroDivisionError: division by zero"),
        ("def f(:\n", 1, "SyntaxError"),
        ("\n\nimport no_such_module\n", 3, "No module named 'no_such_module'"),
        ("raise SystemExit(3)\n", 1, "SystemExit: 3"),
        ("\nraise GeneratorExit('gone')\n", 2, "GeneratorExit: gone"),
        ("raise BaseException('odd')\n", 1, "BaseException: odd"),
        ("class E(Exception):\n    def __str__(self): raise self\nraise E\n", 3, "E: its message cannot be made"),
        ("class E(BaseException): __str__ = None\nraise E\n", 2, "E: its message cannot be made"),
        ("from paddleisa.registry import MODELS\n@MODELS.register\nclass Net: pass\n", 2, "model 'Net' is taken"),
    ],
)
def test_a_plugin_that_fails_is_named_with_its_line(fakes, write, code, line, words):
    write("parts/mine.py", code)
    with pytest.raises(ConfigError) as caught:
        check(read_config(write("own.yml", "plugins: [parts/mine.py]")))
    message = str(caught.value)
    assert message.startswith(f"parts/mine.py:{line}: the plugin fails: ")
    assert words in message
    assert "It is named at own.yml:1" in message


def test_ctrl_c_inside_a_plugin_stays_ctrl_c(fakes, write):
    write("mine.py", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        check(read_config(write("own.yml", "plugins: [mine.py]")))


def test_a_missing_plugin_is_named_with_the_config_line(fakes, write):
    with pytest.raises(ConfigError, match=r"^own\.yml:2: the plugin 'parts/gone\.py' is not a Python file"):
        check(read_config(write("own.yml", "iters: 1\nplugins: [parts/gone.py]")))


def test_reading_a_config_imports_neither_paddle_nor_pydantic():
    code = (
        "import sys, paddleisa.config as c; c.read_config('isanet_resnet50_os8_voc12aug_512x512_40k');"
        "sys.exit(bool({'paddle', 'pydantic', 'cv2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Threads, devices and folders, set before paddle is imported."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from paddleisa.errors import UsageError
from paddleisa.utils import environment

SETTINGS = ("OMP_NUM_THREADS", "FLAGS_paddle_num_threads", "MKL_DEBUG_CPU_TYPE")


@pytest.fixture
def before_paddle(monkeypatch):
    """The state of a process that has not imported paddle, and whose user has set nothing."""
    monkeypatch.delitem(sys.modules, "paddle", raising=False)
    for name in (*SETTINGS, "GLOG_minloglevel", "PADDLE_LOCAL_SIZE"):
        monkeypatch.setenv(name, "")  # so that monkeypatch restores what `setup_threads` sets
        monkeypatch.delenv(name)
    monkeypatch.setattr(environment, "core_count", lambda: 6)
    monkeypatch.setattr(environment, "_amd_with_avx2", lambda: False)
    return monkeypatch


def settings():
    return [os.environ.get(name) for name in SETTINGS]


def test_paddle_gets_all_cores(before_paddle):
    environment.setup_threads()
    assert settings() == ["6", "6", None]


def test_the_slow_path_of_mkl_is_avoided_on_amd_only(before_paddle):
    before_paddle.setattr(environment, "_amd_with_avx2", lambda: True)
    environment.setup_threads()
    assert settings() == ["6", "6", "5"]


def test_what_the_user_has_set_stays(before_paddle):
    before_paddle.setenv("OMP_NUM_THREADS", "3")
    before_paddle.setenv("MKL_DEBUG_CPU_TYPE", "4")
    before_paddle.setattr(environment, "_amd_with_avx2", lambda: True)
    environment.setup_threads()
    assert settings() == ["3", "3", "4"]


@pytest.mark.parametrize(("processes", "threads"), [("2", "3"), ("6", "1"), ("9", "1")])
def test_the_processes_of_a_job_share_the_cores(before_paddle, processes, threads):
    before_paddle.setenv("PADDLE_LOCAL_SIZE", processes)
    environment.setup_threads()
    assert settings() == [threads, threads, None]


def test_once_paddle_is_imported_nothing_is_changed(before_paddle):
    before_paddle.setitem(sys.modules, "paddle", object())
    environment.setup_threads()
    assert settings() == [None, None, None]


# Ends a process where paddle would be imported, and prints the threads that it would find; a second is saved.
WATCHED = """
import os, sys
class Watch:
    def find_spec(self, name, *_):
        if name == "paddle":
            print(os.environ.get("OMP_NUM_THREADS"), flush=True)
            os._exit(0)
sys.meta_path.insert(0, Watch())
"""


def fresh(code, **variables):
    """What a new process prints in which the user has set ``variables`` only."""
    env = {name: value for name, value in os.environ.items() if name not in (*SETTINGS, "GLOG_minloglevel")}
    return subprocess.run([sys.executable, "-c", code], env={**env, **variables}, capture_output=True, text=True)


def test_a_sigterm_ends_the_process_without_paddles_stack_of_c():
    code = "import os; from paddleisa.utils.environment import load_paddle; load_paddle(); os.kill(os.getpid(), 15)"
    done = fresh(code)
    assert (done.returncode, done.stdout, done.stderr) == (-15, "", "")


def test_importing_the_package_imports_nothing_heavy_and_changes_nothing():
    code = (
        "import os, sys, signal, warnings; before = dict(os.environ), warnings.filters[:]; import paddleisa; "
        "print(sorted({'paddle', 'numpy', 'cv2', 'pydantic', 'visualdl'} & set(sys.modules)), "
        "(dict(os.environ), warnings.filters) == before)"
    )
    result = fresh(code)
    assert (result.stdout, result.stderr) == ("[] True\n", "")


@pytest.mark.parametrize("room", ["models", "losses", "training.trainer", "deploy.export.formats"])
def test_paddle_finds_its_threads_whatever_is_imported_first(room):
    assert fresh(f"{WATCHED}import paddleisa.{room}").stdout == f"{environment.threads()}\n"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity masks")
def test_cores_are_those_of_the_affinity_mask():
    code = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); import paddleisa.models"
    assert fresh(WATCHED + code).stdout == "1\n"


def test_who_imports_paddle_first_learns_what_it_costs(before_paddle):
    before_paddle.setitem(sys.modules, "paddle", SimpleNamespace(get_device=lambda: "cpu"))
    assert "computes on 1 of 6 cores" in environment.thread_warning()
    before_paddle.setenv("OMP_NUM_THREADS", "6")
    assert environment.thread_warning() is None


def test_with_the_settings_in_time_nothing_is_said(before_paddle):
    environment.setup_threads()
    before_paddle.setitem(sys.modules, "paddle", SimpleNamespace(get_device=lambda: "cpu"))
    assert environment.thread_warning() is None


def test_a_model_that_will_be_slow_warns_when_it_is_built():
    code = (
        "import paddle, os, paddleisa; os.sched_getaffinity = lambda pid: {0, 1}; "
        "paddleisa.build_model(paddleisa.load_config('isanet_resnet18_os8_scenes_128x128_200'))"
    )
    assert "RuntimeWarning: paddle was imported before paddleisa" in fresh(code).stderr


def test_importing_paddle_prints_nothing_of_the_threads_that_we_set():
    code = "from paddleisa.utils.environment import load_paddle; load_paddle(); import paddle"
    result = fresh(code, OMP_NUM_THREADS="2")
    assert (result.returncode, result.stdout) == (0, "")
    assert "OMP_NUM_THREADS" not in result.stderr
    assert "ccache" not in result.stderr


def test_an_installation_without_paddle_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "paddle", None)
    with pytest.raises(UsageError, match=r"Paddle is not installed.*paddleisa\[cpu\]"):
        environment.load_paddle()


def test_rank_and_world_size_are_the_launchers(monkeypatch):
    for name in ("PADDLE_TRAINER_ID", "PADDLE_TRAINERS_NUM"):
        monkeypatch.delenv(name, raising=False)
    assert (environment.rank(), environment.world_size()) == (0, 1)
    monkeypatch.setenv("PADDLE_TRAINER_ID", "2")
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "4")
    assert (environment.rank(), environment.world_size()) == (2, 4)


def test_downloads_go_to_the_users_choice_else_to_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("PADDLEISA_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert environment.home() == tmp_path / ".cache" / "paddleisa"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert environment.home() == tmp_path / "cache" / "paddleisa"
    monkeypatch.setenv("PADDLEISA_HOME", "~/zoo")
    assert environment.home() == tmp_path / "zoo"


def test_the_cpu_can_be_chosen():
    import paddle

    assert environment.set_device("cpu") == "cpu"
    assert paddle.get_device() == "cpu"


@pytest.mark.parametrize("name", ["", "tpu", "cpu:0", "gpu:", "gpu:x", "gpu:-1", "gpu:²", "GPU", "gpu:0,1"])
def test_a_device_that_does_not_exist_is_refused(name):
    with pytest.raises(UsageError, match=r"--device: there is no device .*Write cpu, gpu or gpu:N"):
        environment.set_device(name)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    import paddle

    monkeypatch.setattr(paddle.device.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(paddle, "is_compiled_with_cuda", lambda: True)
    with pytest.raises(UsageError, match="device 'gpu:2' is not available: this installation sees 2 GPUs"):
        environment.set_device("gpu:2")
    monkeypatch.setattr(paddle, "is_compiled_with_cuda", lambda: False)
    with pytest.raises(UsageError, match="is a CPU build of Paddle"):
        environment.set_device("gpu")


def test_the_description_can_be_written_as_json():
    described = json.loads(json.dumps(environment.describe()))
    assert described["cores"] == environment.core_count()
    assert described["packages"]["numpy"]
    assert described["python"] == ".".join(map(str, sys.version_info[:3]))


def test_no_absolute_path_of_this_machine_is_in_the_description():
    assert str(Path.cwd()) not in json.dumps(environment.describe())

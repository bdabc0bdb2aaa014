"""Memory that is there, and memory that work takes."""

import numpy as np
import psutil
import pytest

from paddleisa.utils import memory

GIB = 2**30


def group(folder, names, limit, used, cache):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\n{names[2]} {cache}\n")


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """``machine(line)``: a root folder whose process is in the control group of that line; 64 GiB are free."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 64 * GIB}))

    def make(*lines):
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text("".join(f"{line}\n" for line in lines))
        return tmp_path

    return make


def test_without_a_limit_the_machines_free_memory_counts(machine):
    root = machine("0::/user")
    group(root / "sys/fs/cgroup/user", memory.CGROUP_2, "max", 5 * GIB, 0)
    assert memory.available(root) == 64 * GIB


def test_the_tightest_group_above_the_process_counts_and_its_file_cache_is_free(machine):
    root = machine("0::/job/step")
    group(root / "sys/fs/cgroup/job", memory.CGROUP_2, 10 * GIB, 9 * GIB, 2 * GIB)
    group(root / "sys/fs/cgroup/job/step", memory.CGROUP_2, 20 * GIB, 8 * GIB, 0)
    assert memory.available(root) == 3 * GIB


def test_groups_of_version_1_count_also_where_the_path_is_the_hosts(machine):
    root = machine("7:cpu,cpuacct:/x", "4:memory:/docker/abc")
    group(root / "sys/fs/cgroup/memory", memory.CGROUP_1, 4 * GIB, 3 * GIB, GIB)
    assert memory.available(root) == 2 * GIB


def test_without_control_groups_the_machines_free_memory_counts(machine, tmp_path):
    machine()
    assert memory.available(tmp_path / "nowhere") == 64 * GIB


def test_what_is_too_much_is_refused_with_both_numbers():
    memory.require(GIB, limit=1.5)
    with pytest.raises(memory.OutOfMemory, match=r"out of memory: needs at least 3 GiB, 1.5 GiB are allowed"):
        memory.require(3 * GIB, limit=1.5)


def test_the_peak_is_that_of_the_block_even_if_it_was_higher_before():
    size = 100 * 2**20
    block = np.ones(3 * size, np.uint8)
    del block
    with memory.PeakMemory() as peak:
        block = np.ones(size, np.uint8)
        del block
    assert size * 0.95 < peak.growth < size * 1.2
    assert peak.total > peak.growth

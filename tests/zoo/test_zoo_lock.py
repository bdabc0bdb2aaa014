"""The user's lock file of known hashes."""

from __future__ import annotations

import json
import multiprocessing

import pytest

from paddleisa.errors import ConfigError
from paddleisa.zoo.download.records import LockFile


def test_the_first_hash_of_an_address_stays(tmp_path):
    lock = LockFile(tmp_path / "lock.json")
    assert lock.get("https://a/b") is None
    lock.add("https://a/b", "a" * 64, 5)
    lock.add("https://a/b", "b" * 64, 6)
    assert (lock.get("https://a/b").sha256, lock.get("https://a/b").size) == ("a" * 64, 5)


def _add(path, number):
    LockFile(path).add(f"https://a/{number}", f"{number:064x}", number)


def test_processes_that_add_at_once_lose_nothing(tmp_path):
    path = tmp_path / "lock.json"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_add, args=(path, number)) for number in range(12)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(json.loads(path.read_text())["files"]) == 12


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"files": {"u": {}}}', '{"files": {"u": {"sha256": "x", "size": 1, "first_seen": ""}}}']
)
def test_a_damaged_lock_file_is_an_error_and_not_a_fresh_start(tmp_path, text):
    (tmp_path / "lock.json").write_text(text)
    with pytest.raises(ConfigError, match="lock.json: cannot be read as a lock file"):
        LockFile(tmp_path / "lock.json").get("u")

"""``paddleisa doctor`` on this machine, and on machines that are not as they should be."""

from __future__ import annotations

import json

from paddleisa.cli import doctor
from paddleisa.utils import gpu


def levels(findings, subject):
    return [f.level for f in findings if f.subject == subject]


def test_doctor_finds_nothing_in_the_way_here_and_writes_json(call, tmp_path):
    done = call("doctor", "--json", tmp_path / "d.json")
    assert done.code == 0, done.out
    assert "nothing stands in the way" in done.out
    data = json.loads((tmp_path / "d.json").read_text())
    assert {f["subject"] for f in data["findings"]} >= {"Python", "processor", "memory", "Paddle", "folders"}


def test_a_card_that_the_cpu_build_ignores_is_a_problem_with_its_fix(monkeypatch):
    monkeypatch.setattr(gpu, "cards", lambda: [gpu.Card("Tesla T4", "470", 7.5, 15109)])
    problem = next(f for f in doctor.examine() if f.level == "problem")
    assert problem.subject == "graphics card" and "CPU build" in problem.text and "pip" in problem.fix


def test_a_home_that_cannot_be_written_is_a_problem(monkeypatch, tmp_path):
    monkeypatch.setenv("PADDLEISA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    assert "problem" in levels(doctor.examine(), "folders")


def test_a_look_that_fails_is_told_and_does_not_hide_the_others(monkeypatch):
    def broken():
        raise RuntimeError("nvidia-smi said nonsense")

    monkeypatch.setattr(gpu, "cards", broken)
    findings = doctor.examine()
    assert any("nvidia-smi said nonsense" in f.text for f in findings)
    assert levels(findings, "downloads") == ["ok"]


def test_mirror_and_offline_settings_are_shown(monkeypatch):
    monkeypatch.setenv("PADDLEISA_OFFLINE", "1")
    (finding,) = (f for f in doctor.examine() if f.subject == "downloads")
    assert "PADDLEISA_OFFLINE=1" in finding.text

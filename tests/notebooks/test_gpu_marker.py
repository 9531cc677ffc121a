"""Tests of the GPU tests: left out by default, and failing with the reason where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="whether a GPU is visible is asked of torch")
ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}
    for name in [name for name in env if name.startswith("PYTEST_")]:
        del env[name]
    command = [sys.executable, "-m", "pytest", "tests/gpu", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300
    )


def test_they_fail_with_the_reason_where_no_gpu_is_visible() -> None:
    asked = run("-m", "gpu")
    assert asked.returncode == 1
    assert "no GPU is visible to torch" in asked.stdout
    last = asked.stdout.strip().splitlines()[-1]
    assert "failed" in last and "passed" not in last and "error" not in last


def test_they_are_left_out_unless_asked_for() -> None:
    silent = run("--collect-only")
    assert silent.returncode == 5  # nothing to run
    assert "deselected" in silent.stdout

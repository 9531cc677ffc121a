"""Writing whole or not at all, and asking for packages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from recnb import files
from recnb.errors import InputError
from recnb.optional import check_installed, has, need


def test_an_error_leaves_what_was_there(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), files.whole(target) as part:
        part.write_text("new")
        _ = 1 / 0
    assert target.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_kill_leaves_what_was_there(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    code = (
        "import os, signal\nfrom recnb.files import whole\n"
        f"with whole({str(target)!r}) as part:\n"
        "    part.write_text('new')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert target.read_text() == "old"
    assert len(files.leftovers(target)) == 1


def test_json_and_permissions(tmp_path):
    files.write_json(tmp_path / "deep" / "a.json", {"b": "é"})
    text = (tmp_path / "deep" / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"b": "é"} and text.endswith("}\n")
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "deep" / "a.json").stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_folder_is_replaced_only_where_it_is_ours(tmp_path):
    target = tmp_path / "model"
    for text in ("one", "two"):
        with files.whole_folder(target, ours="head.json") as part:
            (part / "head.json").write_text(text)
    assert (target / "head.json").read_text() == "two"
    (target / "head.json").rename(target / "other.json")
    with (
        pytest.raises(InputError, match="holds something else; name a new folder"),
        files.whole_folder(target, ours="head.json"),
    ):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("place", ["file/inside.txt", "folder"])
def test_a_place_that_cannot_be_written_is_one_line(tmp_path, place):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"cannot be written .*; name a place that can") as caught:
        files.write_text(tmp_path / place, "x")
    assert "\n" not in str(caught.value)


def test_missing_packages_are_named_by_what_installs_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    with pytest.raises(
        InputError, match=r"masking needs phonenumberslite, .*; pip install phonenumberslite"
    ):
        need("phonenumbers", "masking")
    with pytest.raises(InputError, match=r"'x' needs nothing_a and nothing_b"):
        check_installed("'x'", "nothing_a", "json", "nothing_b")
    assert has("json", "os.path") and not has("json", "nothing_a")

"""Tiny files in the published layouts, made here: none holds a published row."""

from __future__ import annotations

import pytest


@pytest.fixture
def write(tmp_path):
    """Write files (text as UTF-8, or bytes) below a folder and return it."""

    def writer(files, folder="set"):
        root = tmp_path / folder
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return root

    return writer

"""Notebooks run two at a time at most, however many workers the tests have."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SLOTS = 2


@pytest.fixture
def slot() -> Iterator[None]:
    """Hold one of two places, which all worker processes of this machine share."""
    try:
        import fcntl
    except ImportError:  # Windows: no shared places, run with one worker there
        yield
        return
    folder = Path(tempfile.gettempdir()) / "recnb-notebook-slots"
    folder.mkdir(exist_ok=True)
    files = [(folder / str(number)).open("w") for number in range(SLOTS)]
    held = None
    try:
        while held is None:
            for file in files:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    continue
                held = file
                break
            else:
                time.sleep(0.2)
        yield
    finally:
        for file in files:
            file.close()  # gives the place back

"""What all tests share: tests marked `real` are skipped, with the reason, where no real data are named."""

from __future__ import annotations

import os

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("real") and not os.environ.get("RECNB_DATA"):
        pytest.skip("RECNB_DATA names no folder of real data sets")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    # Vectors are kept for the session in a folder of its own, never in the user's cache.
    os.environ.setdefault("RECNB_CACHE", str(tmp_path_factory.getbasetemp().parent / "recnb-cache"))

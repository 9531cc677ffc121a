"""What all tests share: tests marked `real` are skipped, with the reason, where no real data are named."""

from __future__ import annotations

import os
from collections.abc import Hashable

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("real") and not os.environ.get("RECNB_DATA"):
        pytest.skip("RECNB_DATA names no folder of real data sets")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Both halves, which two workers begin with, hold their long tests first: none is left for the end.

    Slow tests of a module share what it installs and stay together.
    """
    groups: dict[Hashable, list[pytest.Item]] = {}
    others: list[pytest.Item] = []
    for item in items:
        if item.get_closest_marker("notebooks"):
            groups[item.nodeid] = [item]
        elif item.get_closest_marker("slow"):
            groups.setdefault(item.path, []).append(item)
        else:
            others.append(item)
    long = list(groups.values())
    first, second = ([item for group in half for item in group] for half in (long[::2], long[1::2]))
    rest = max(0, (len(items) + 1) // 2 - len(first))
    items[:] = [*first, *others[:rest], *second, *others[rest:]]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    # Vectors are kept for the session in a folder of its own, never in the user's cache.
    os.environ.setdefault("RECNB_CACHE", str(tmp_path_factory.getbasetemp().parent / "recnb-cache"))

"""GPU tests run only when asked for with ``-m gpu``; then, without a GPU, they fail and say why."""

from __future__ import annotations

import re

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = re.search(r"(?<!not )\bgpu\b", config.option.markexpr)
    if asked:
        return
    left_out = [item for item in items if item.get_closest_marker("gpu")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("gpu")]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Fail, never skip, a GPU test where no GPU is visible."""
    if item.get_closest_marker("gpu") is None:
        return
    try:
        import torch
    except ImportError:
        pytest.fail("GPU tests need torch: pip install 'recnb[text]'", pytrace=False)
    if not torch.cuda.is_available():
        told = f"no GPU is visible to torch {torch.__version__}; run this on a machine with one"
        pytest.fail(told, pytrace=False)

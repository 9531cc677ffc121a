"""Headings of Markdown cells."""

from __future__ import annotations

import re
from typing import Any

HEADING = re.compile(r"^(#{1,6}) +(.+?) *$", re.MULTILINE)


def headings(cell: Any) -> list[tuple[int, str]]:
    """Return level and text of the headings of a Markdown cell; code blocks hold none."""
    text = re.sub(r"^```.*?^```", "", cell.source, flags=re.MULTILINE | re.DOTALL)
    return [(len(marks), title) for marks, title in HEADING.findall(text)]

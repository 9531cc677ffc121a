"""One word on how far a long step is, for every part that takes long."""

from __future__ import annotations

from collections.abc import Callable

# (what, done, all): all in the same unit
Progress = Callable[[str, int, int], None]

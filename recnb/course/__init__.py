"""The course: what notebooks record, how they are run, checked and stored."""

from __future__ import annotations

from recnb.course.records import record
from recnb.course.results import recorded

__all__ = ["record", "recorded"]

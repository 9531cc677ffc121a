"""The report of an evaluation: one HTML file that asks for nothing outside itself."""

from __future__ import annotations

from recnb.report.answer import Answer, answer
from recnb.report.examples import example_users
from recnb.report.reading import how_to_read
from recnb.report.write import write_report

__all__ = ["Answer", "answer", "example_users", "how_to_read", "write_report"]

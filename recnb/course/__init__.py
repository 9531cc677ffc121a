"""The course: what notebooks record, how they are run, checked and stored."""

from __future__ import annotations

from recnb.course.baskets import baskets, middle_user
from recnb.course.exercise import check
from recnb.course.findings import Finding, Findings, findings, table_rows
from recnb.course.notebook import find_notebooks
from recnb.course.notes import Notes
from recnb.course.outputs import normalise
from recnb.course.people import browse, example_user, lists_of
from recnb.course.probe import Probe, probe
from recnb.course.records import record
from recnb.course.results import recorded, recorded_run, results_folder
from recnb.course.running.batch import CourseResult, NotebookStatus, Progress, run_course
from recnb.course.running.runner import (
    NotebookError,
    NotebookStopped,
    NotebookTimeout,
    RunResult,
    run_notebook,
)
from recnb.course.shown import Coloured, as_jpeg, coloured

__all__ = [
    "Coloured",
    "CourseResult",
    "Finding",
    "Findings",
    "NotebookError",
    "NotebookStatus",
    "NotebookStopped",
    "NotebookTimeout",
    "Notes",
    "Probe",
    "Progress",
    "RunResult",
    "as_jpeg",
    "baskets",
    "browse",
    "check",
    "coloured",
    "example_user",
    "find_notebooks",
    "findings",
    "lists_of",
    "middle_user",
    "normalise",
    "probe",
    "record",
    "recorded",
    "recorded_run",
    "results_folder",
    "run_course",
    "run_notebook",
    "table_rows",
]

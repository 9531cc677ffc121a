"""The judgement: one protocol for every model, per-user values to the end."""

from recnb.evaluation.evaluate import evaluate
from recnb.evaluation.fewshot import few_shot_rows, ratings_in_file_order, untrained_scores
from recnb.evaluation.findings import Finding
from recnb.evaluation.people import UserLists
from recnb.evaluation.protocol import Protocol, Task
from recnb.evaluation.record import Record
from recnb.evaluation.result import Evaluation
from recnb.evaluation.shelf import over_items

__all__ = [
    "Evaluation",
    "Finding",
    "Protocol",
    "Record",
    "Task",
    "UserLists",
    "evaluate",
    "few_shot_rows",
    "over_items",
    "ratings_in_file_order",
    "untrained_scores",
]

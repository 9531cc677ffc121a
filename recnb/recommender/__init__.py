"""The contract of a model: fit and score; how it is saved, how its lists are made, lists of other libraries."""

from __future__ import annotations

from recnb.recommender.candidates import CandidateScorer, score_candidates
from recnb.recommender.contract import Recommender
from recnb.recommender.lists import Lists, read_lists
from recnb.recommender.reads import LanguageModel, Reads
from recnb.recommender.saving import load_model
from recnb.recommender.topk import top_k, top_k_scores

__all__ = [
    "CandidateScorer",
    "LanguageModel",
    "Lists",
    "Reads",
    "Recommender",
    "load_model",
    "read_lists",
    "score_candidates",
    "top_k",
    "top_k_scores",
]

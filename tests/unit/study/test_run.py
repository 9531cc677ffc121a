"""The default models are those that the machine and the data allow, and what is left out is said."""

from __future__ import annotations

import importlib.util

import pandas as pd
import pytest

from recnb.data import Dataset
from recnb.study.run import DEFAULT_MODELS, choose_models

ROWS = pd.DataFrame({"user_id": list("aab"), "item_id": list("xyx")})


def data(**columns: list[str]) -> Dataset:
    return Dataset.from_frames(ROWS, pd.DataFrame({"item_id": ["x", "y"], **columns}))


def test_all_defaults_where_torch_and_text_are_there():
    models, left_out = choose_models(None, data(title=["One", "Two"]))
    assert tuple(models) == DEFAULT_MODELS and left_out == ()


def test_without_torch_the_language_model_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "torch" else real(name, *a)
    )
    models, left_out = choose_models(None, data(title=["One", "Two"]))
    assert "text_frozen" not in models and "tfidf" in models
    assert (
        len(left_out) == 1 and "text_frozen" in left_out[0] and "pip install torch" in left_out[0]
    )


def test_without_text_the_content_models_are_left_out_and_named():
    models, left_out = choose_models(None, data())
    assert not {"tfidf", "text_frozen"} & set(models)
    assert len(left_out) == 2 and all("no text" in line for line in left_out)


def test_a_description_is_text():
    assert "tfidf" in choose_models(None, data(description=["Green tea", "Rice"]))[0]

"""The study of attacks: what is written reaches the model that is attacked."""

from __future__ import annotations

from recnb import splits
from recnb.models import TfIdf, make
from recnb.study.attacks import AttackPlan, attacked
from tests.unit.encoders.decoder import tiny
from tests.unit.models.conftest import make_dataset


def test_a_model_that_was_fitted_is_not_fitted_again(monkeypatch):
    """But for the texts that are cleaned at the door."""
    split = splits.user_time(make_dataset())
    model, plan = TfIdf(), AttackPlan(edits=4, targets=6, users=10, fed=0)
    fitted = TfIdf().fit(split.known)
    alone = attacked(split, split.known, "tfidf", model, plan)
    fits, plain = [], TfIdf.fit
    monkeypatch.setattr(TfIdf, "fit", lambda self, *data: fits.append(1) or plain(self, *data))
    again = attacked(split, split.known, "tfidf", model, plan, fitted)
    assert len(fits) == 1 and again == alone and alone["records"][0]["places"] != 0


def test_an_order_reaches_a_judge_that_is_told_titles(tmp_path, monkeypatch):
    """The items have a description, too, which this judge is not told."""
    monkeypatch.setattr(tiny, "CONTEXT", 600)
    tiny.write_decoder(tmp_path / "llama", "llama")
    data = make_dataset()
    assert {"title", "text"} <= set(data.items)
    split = splits.user_time(data)
    judge = make("lm_yes", decoder=str(tmp_path / "llama"))
    plan = AttackPlan(edits=4, targets=2, users=4, fed=0)
    part = attacked(split, split.known, "lm_yes", judge, plan)
    rows = {row["attack"]: row for row in part["records"]}
    assert list(rows) == [
        "keywords",
        "copied best-sellers",
        "keywords, invisible",
        "keywords, look-alike",
        "hidden order",
    ]
    # A decoder of random weights cannot be told to say yes; but no text is as if nothing had been written.
    assert rows["hidden order"]["places"] != 0 and rows["hidden order"]["cost"] > 5
    assert rows["keywords"]["places"] != 0
    assert part["defences"] == [] and rows["keywords"]["language"]

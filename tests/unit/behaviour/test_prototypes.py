"""Prototypes: by hand with a made encoder, and on held-out sentences with the real one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb.behaviour import INTENT, SENTIMENT, calibrate_margin, prototypes
from recnb.errors import InputError

WORDS = ("good", "bad", "tea")
LABELS = {"yes": ["good"], "no": ["bad"]}


def count(texts: list[str]) -> np.ndarray:
    """A made encoder: how often each word stands in a text."""
    return np.array([[text.split().count(word) for word in WORDS] for text in texts], float)


def test_by_hand() -> None:
    found = prototypes(["good tea", "bad bad", "tea", "good bad good"], count, LABELS)
    assert found["label"].tolist() == ["yes", "no", "unclear", "yes"]
    assert found["yes"].tolist() == pytest.approx([0.7071, 0, 0, 0.8944])
    assert found["margin"].tolist() == pytest.approx([2**-0.5, 1, 0, 1 / 5**0.5], abs=1e-6)
    strict = prototypes(["good tea", "bad bad", "good bad good"], count, LABELS, margin=0.8)
    assert strict["label"].tolist() == ["unclear", "no", "unclear"]


def test_a_label_is_the_mean_of_its_unit_vectors() -> None:
    # (1,0,0) and (0,0,1), whatever their lengths, make (1,0,1) / sqrt 2.
    found = prototypes(["tea"], count, {"yes": ["good good good", "tea"], "no": ["bad"]})
    assert found["yes"].iloc[0] == pytest.approx(0.7071)


def test_no_text_no_rows() -> None:
    assert list(prototypes([], count, LABELS).columns) == ["label", "margin", "yes", "no"]


@pytest.mark.parametrize(
    ("labels", "encode", "margin", "problem"),
    [
        ({"yes": ["good"]}, count, 0, "at least two"),
        ({"yes": ["good"], "no": []}, count, 0, "at least two"),
        ({"yes": "good", "no": "bad"}, count, 0, "at least two"),
        ({"unclear": ["good"], "no": ["bad"]}, count, 0, "left over"),
        (LABELS, count, -1, "margin"),
        (LABELS, count, float("nan"), "margin"),
        (LABELS, lambda texts: np.ones(len(texts)), 0, "shape"),
        (LABELS, lambda texts: np.full((len(texts), 2), np.nan), 0, "not finite"),
    ],
)
def test_wrong_input_is_refused(labels, encode, margin, problem) -> None:
    with pytest.raises(InputError, match=problem):
        prototypes(["good"], encode, labels, margin)


def test_calibration() -> None:
    found = pd.DataFrame(
        {"label": ["a", "a", "b", "b", "unclear"], "margin": [0.4, 0.3, 0.2, 0.1, 0.0]}
    )
    truth = ["a", "a", "a", "b", "a"]
    assert calibrate_margin(found, truth, accuracy=0.75) == 0.1  # three of four labelled
    assert calibrate_margin(found, truth, accuracy=0.9) == 0.3
    assert calibrate_margin(found, ["x"] * 5) == np.inf
    with pytest.raises(InputError):
        calibrate_margin(found, truth, accuracy=0)


HELD_OUT = {
    "positive": [
        "My kids adore this game, five stars.",
        "Superb sound and a lovely design.",
        "Exceeded all my expectations.",
        "Delicious, we finished the box in a day.",
        "So glad I found this book.",
        "Fantastic value for the price.",
    ],
    "negative": [
        "Stopped working after two days.",
        "Awful taste, I threw it away.",
        "The plot is boring and I gave up.",
        "Cheap plastic that cracked at once.",
        "Worst purchase of the year.",
        "It arrived damaged and support was rude.",
    ],
}


@pytest.mark.slow
def test_real_encoder_on_sentences_it_was_not_given() -> None:
    pytest.importorskip("transformers")
    from recnb.encoders import TextEncoder

    encode = TextEncoder(device="cpu").encode
    texts = [t for group in HELD_OUT.values() for t in group]
    truth = np.repeat(list(HELD_OUT), [len(g) for g in HELD_OUT.values()])
    found = prototypes(texts, encode, SENTIMENT)
    assert (found["label"] == truth).mean() >= 0.8
    # A sentence without any sentiment leads by less than most that have one.
    flat = prototypes(["The box has four screws.", "It is 12 inches wide."], encode, SENTIMENT)
    assert flat["margin"].max() < found["margin"].median()
    wanted = {
        "A present for my nephew's birthday.": "gift",
        "We reorder this every month.": "buy again",
        "I am sending this one back for a refund.": "return",
    }
    got = prototypes(list(wanted), encode, INTENT)["label"]
    assert got.tolist() == list(wanted.values())

"""Sentiment and intent of short texts by their nearness to prototype sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from recnb.errors import InputError

Encode = Callable[[list[str]], np.ndarray]
Labels = Mapping[str, Sequence[str]]
UNCLEAR = "unclear"

SENTIMENT: Labels = MappingProxyType(
    {
        "positive": (
            "I love this product, it is excellent.",
            "Great quality, I am very happy with it.",
            "Works perfectly, highly recommended.",
            "One of the best I have ever had.",
        ),
        "negative": (
            "I hate this product, it is terrible.",
            "Poor quality, I am very disappointed.",
            "It broke and does not work, a waste of money.",
            "One of the worst I have ever had.",
        ),
    }
)
INTENT: Labels = MappingProxyType(
    {
        "buy again": (
            "I buy this again and again.",
            "We always keep it in the house and will order more.",
            "This is the third time I purchased it.",
        ),
        "gift": (
            "I bought this as a gift for my daughter.",
            "A birthday present for a friend.",
            "She got it for Christmas.",
        ),
        "return": (
            "I sent it back and want a refund.",
            "I am returning this item.",
            "I asked for my money back.",
        ),
        "compare": (
            "I compared it with another brand before choosing.",
            "I looked at several alternatives.",
            "Compared to the competitor it is similar.",
        ),
    }
)


def prototypes(
    texts: Sequence[str], encode: Encode, labels: Labels = SENTIMENT, margin: float = 0.0
) -> pd.DataFrame:
    """Label each text by the group of prototype sentences it is nearest to.

    A first look that needs no labelled data. It is not a trained classifier: measure it on texts of your own
    (:func:`calibrate_margin`) before any number rests on it.

    Parameters
    ----------
    texts : sequence of str, length n
    encode : callable
        list of m strings to an array (m, d), such as ``TextEncoder().encode``. Any scale; a vector of zeros (an empty
        text) has cosine 0 with all.
    labels : mapping of str to sequence of str
        At least two labels, each with its prototypes. :data:`SENTIMENT` and :data:`INTENT` are made for reviews.
    margin : float
        A text whose best label leads by less than this is "unclear"; one that leads by nothing always is.

    Returns
    -------
    DataFrame of n rows
        `label`; `margin`, the best cosine less the second best; and one column per label, the cosine of the text
        with the mean of the label's unit vectors.

    Raises
    ------
    InputError
        Fewer than two labels, a label without prototypes or called "unclear", a negative margin, or vectors of the
        wrong shape or not finite.

    References
    ----------
    Snell, Swersky and Zemel, Prototypical networks for few-shot learning, NeurIPS 2017, section 2.2 (class means;
    cosine here).

    Examples
    --------
    An encoder that counts two words:

    >>> encode = lambda texts: np.array([[t.count("good"), t.count("bad")] for t in texts])
    >>> prototypes(["so good", "bad", "good and bad", ""], encode, {"yes": ["good"], "no": ["bad"]})
         label  margin     yes      no
    0      yes     1.0  1.0000  0.0000
    1       no     1.0  0.0000  1.0000
    2  unclear     0.0  0.7071  0.7071
    3  unclear     0.0  0.0000  0.0000
    """
    if len(labels) < 2 or any(isinstance(p, str) or not len(p) for p in labels.values()):
        raise InputError(
            "labels need at least two names with prototype sentences each",
            mend='such as {"positive": ["I love it."], "negative": ["I hate it."]}',
        )
    if UNCLEAR in labels:
        raise InputError(f"a label is called '{UNCLEAR}'", mend="that is what is left over")
    if not margin >= 0:
        raise InputError(f"margin is {margin}", mend="give a number of at least 0")
    centres = np.vstack([_unit(_encoded(encode, list(p))).mean(axis=0) for p in labels.values()])
    names = list(labels)
    if not len(texts):
        return pd.DataFrame(columns=["label", "margin", *names])
    cosine = _unit(_encoded(encode, list(texts))) @ _unit(centres).T  # (n_texts, n_labels)
    ranked = np.sort(cosine, axis=1)
    lead = ranked[:, -1] - ranked[:, -2]
    best = np.array(names, dtype=object)[cosine.argmax(axis=1)]
    # Equal up to rounding is no lead.
    best[(lead < margin) | (lead <= 1e-6)] = UNCLEAR
    found = pd.DataFrame({"label": best, "margin": lead.round(6)})
    return found.join(pd.DataFrame(cosine.round(4) + 0.0, columns=names))


def calibrate_margin(
    found: pd.DataFrame, truth: Sequence[str] | ArrayLike, accuracy: float = 0.9
) -> float:
    """The smallest margin from which on labelled texts are right as often as asked.

    Parameters
    ----------
    found : DataFrame
        What :func:`prototypes` returned with ``margin=0``.
    truth : sequence of str
        The right label of each text; texts that are neither may be given as "unclear" and then count as wrong.
    accuracy : float in (0, 1]
        Wanted share of right labels among the texts that get one.

    Returns
    -------
    float
        Infinity where no margin does it: then the prototypes are not to be used on such texts.

    Notes
    -----
    Chosen on the texts it is stated for, the accuracy is flattering; judge it on others.

    Examples
    --------
    The wrong one has the smallest lead, so a margin above it is asked for.

    >>> found = pd.DataFrame({"label": ["a", "b", "a"], "margin": [0.3, 0.2, 0.1]})
    >>> calibrate_margin(found, ["a", "b", "b"], accuracy=1.0)
    0.2
    """
    right = found["label"].to_numpy(dtype=object) == np.asarray(truth, dtype=object)
    if not len(found) or not 0 < accuracy <= 1:
        raise InputError("no text, or an accuracy outside (0, 1]", mend="give labelled texts")
    given = (found["label"] != UNCLEAR).to_numpy()
    margins, right = found["margin"].to_numpy(dtype=float)[given], right[given]
    for margin in np.unique(margins):
        if right[margins >= margin].mean() >= accuracy:
            return float(margin)
    return float("inf")


def _encoded(encode: Encode, texts: list[str]) -> np.ndarray:
    vectors = np.asarray(encode(texts), dtype=np.float64)
    if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
        raise InputError(
            f"encode gave an array of shape {vectors.shape} for {len(texts)} texts, or numbers not finite",
            mend="return one finite vector per text",
        )
    return vectors


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)

"""Whether a tokenizer knows the script that a text is written in."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Sequence

import numpy as np

log = logging.getLogger(__name__)

UNKNOWN_LIMIT = 0.05  # share of unknown tokens above which encoding reports
SPELLED_LIMIT = 0.05  # the same for the share of texts that are spelled out
PIECES = 0.75  # tokens a character from which an alphabet counts as spelled out
PIECES_HAN = 1.5  # the same for Chinese characters and kana, where a character may well be a token


def spelled_out(texts: Sequence[str], tokens: np.ndarray) -> np.ndarray:
    """Which texts the tokenizer only spells, letter by letter or byte by byte.

    Such a text has no unknown token, yet the model has hardly seen its words. English takes about
    0.25 tokens a character, Russian under an English vocabulary about 1, Chinese in the bytes of an
    English model 2 to 3.

    Parameters
    ----------
    texts : sequence of str
    tokens : ndarray of shape (n_texts,), int
        Tokens of each text, special ones not counted.

    Returns
    -------
    ndarray of shape (n_texts,), bool
        Only texts most of whose letters lie beyond the Latin script can be True.

    Examples
    --------
    >>> spelled_out(["green tea", "зелёный чай"], np.array([2, 10])).tolist()
    [False, True]
    """
    spelled = np.zeros(len(texts), dtype=bool)
    for row, text in enumerate(texts):
        if text.isascii():
            continue
        signs = [sign for sign in text if unicodedata.category(sign)[0] in "LM"]
        foreign = [sign for sign in signs if ord(sign) > 0x24F and sign.isalpha()]
        letters = sum(sign.isalpha() for sign in signs)
        if 2 * len(foreign) <= letters:
            continue
        han = sum("\u3040" <= sign <= "\u30ff" or "\u3400" <= sign <= "\u9fff" for sign in foreign)
        limit = PIECES_HAN if 2 * han > len(foreign) else PIECES
        spelled[row] = tokens[row] > limit * sum(not sign.isspace() for sign in text)
    return spelled


def report_scripts(name: str, texts: Sequence[str], counts: np.ndarray) -> None:
    """Log a warning where an encoder does not know the script of its texts.

    Parameters
    ----------
    name : str
        The encoder, as the warning names it.
    texts : sequence of str
    counts : ndarray of shape (n_texts, 2), int
        Tokens and unknown tokens of each text, special ones not counted.
    """
    share = counts[:, 1].sum() / max(1, counts[:, 0].sum())
    if share > UNKNOWN_LIMIT:
        log.warning(
            "%.0f %% of the tokens are unknown to %s, as in %.60r: "
            "take an encoder that knows the script",
            100 * share,
            name,
            texts[int(counts[:, 1].argmax())],
        )
    spelled = spelled_out(texts, counts[:, 0])
    if spelled.sum() > SPELLED_LIMIT * len(texts):
        log.warning(
            "%s only spells out %.0f %% of the texts, as %.60r: "
            "take an encoder that knows the script",
            name,
            100 * spelled.mean(),
            texts[int(spelled.argmax())],
        )

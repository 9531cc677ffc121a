"""The tokens of candidates, written out."""

from __future__ import annotations

from collections.abc import Sequence

from recnb.models.language.joint.model import JointReader


def tokens_of(model: JointReader, items: Sequence[int]) -> list[list[str]]:
    """The tokens that a fitted pair model or tagger reads of candidates, special ones included.

    Parameters
    ----------
    model : JointReader
    items : sequence of int
        Codes.

    Returns
    -------
    list of list of str
        As many as :meth:`recnb.models.SlateTagger.token_scores` gives numbers.
    """
    tokenizer = model._open().tokenizer
    out = []
    for text in model.sentences_[list(items)]:
        ids = tokenizer(str(text), truncation=True, max_length=model.item_tokens)["input_ids"]
        out.append(tokenizer.convert_ids_to_tokens(ids))
    return out

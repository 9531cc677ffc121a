"""Which models read text with a language model: one rule for the audit, the figures and the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_READERS = ("pair", "tagger", "fusion")


def uses_language_model(name: str, settings: Mapping[str, Any] | None = None) -> bool:
    """Whether a model reads text with a language model, by its name or its settings.

    Parameters
    ----------
    name : str
        `text_…`, `lm_…`, `pair`, `tagger`, `fusion`, any of them with ``@METHOD``, or a blend that
        holds one.
    settings : mapping, optional
        A model of another name counts where a setting `encoder`, `decoder` or `language_model` is given.

    Examples
    --------
    >>> [uses_language_model(n) for n in ("text_dot@lora", "ease+text_frozen", "tfidf", "ease", "pairwise")]
    [True, True, False, False, False]
    >>> uses_language_model("mine", {"encoder": "bert-base-uncased"})
    True
    """
    for part in name.split("+"):
        plain = part.strip().partition("@")[0]
        if plain.startswith(("text_", "lm_")) or plain in _READERS:
            return True
    return _names_one(settings)


def _names_one(settings: Any) -> bool:
    if isinstance(settings, Mapping):
        named = any(settings.get(k) for k in ("encoder", "decoder", "language_model"))
        return named or any(_names_one(v) for v in settings.values())
    return isinstance(settings, (list, tuple)) and any(_names_one(v) for v in settings)

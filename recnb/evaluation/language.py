"""Which models read text with a language model: one rule for the audit, the figures and the report."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_READERS = ("pair", "tagger", "fusion")
_WORDLESS = {"image", "audio", "attributes", "id"}  # modalities that no language model reads


def uses_language_model(name: str, settings: Mapping[str, Any] | None = None) -> bool:
    """Whether a model reads text with a language model, by its name or its settings.

    Parameters
    ----------
    name : str
        `text_…`, `lm_…`, `pair`, `tagger`, `fusion`, any of them with ``@METHOD`` or settings in brackets, or a
        blend that holds one.
    settings : mapping, optional
        A model of another name counts where a setting `encoder`, `decoder` or `language_model` is given; one whose
        `modalities` are none of text does not.

    Examples
    --------
    >>> [uses_language_model(n) for n in ("text_dot@lora", "ease+text_frozen", "tfidf", "ease", "pairwise")]
    [True, True, False, False, False]
    >>> uses_language_model("mine", {"encoder": "bert-base-uncased"})
    True
    >>> uses_language_model("fusion[modalities=image+audio]")
    False
    """
    modalities = _modalities(name, settings)
    if modalities and modalities <= _WORDLESS:
        return False
    for plain in _plain(name):
        if plain.startswith(("text_", "lm_")) or plain in _READERS:
            return True
    return _names_one(settings)


def reads_more_than_text(name: str, settings: Mapping[str, Any] | None = None) -> bool:
    """Whether a model has pictures, sounds, vectors or attributes beside its text, and so tells nothing of the text.

    Examples
    --------
    >>> reads_more_than_text("fusion"), reads_more_than_text("fusion", {"modalities": "text+id"})
    (True, False)
    >>> reads_more_than_text("text_dot", {"modalities": None})
    False
    """
    modalities = _modalities(name, settings)
    if modalities is None:
        return "fusion" in _plain(name)
    return not modalities <= {"text", "id"}


def _plain(name: str) -> list[str]:
    """Names of the parts of a blend, without settings and methods."""
    bare = re.sub(r"\[[^\]]*\]", "", name)
    return [part.strip().partition("@")[0] for part in bare.split("+")]


def _modalities(name: str, settings: Any) -> set[str] | None:
    """Modalities that a model's settings name, those of its parts with them, else its name; None where none do."""
    told = [part.get("modalities") for part in _mappings(settings)]
    texts = [text for text in told if isinstance(text, str)]
    texts = texts or re.findall(r"\bmodalities=([^,\]]+)", name)
    return {part.strip() for text in texts for part in text.split("+")} or None


def _names_one(settings: Any) -> bool:
    named = ("encoder", "decoder", "language_model")
    return any(part.get(key) for part in _mappings(settings) for key in named)


def _mappings(settings: Any) -> Iterator[Mapping[str, Any]]:
    """Settings and those of the models in them."""
    if isinstance(settings, Mapping):
        yield settings
        settings = list(settings.values())
    if isinstance(settings, (list, tuple)):
        for part in settings:
            yield from _mappings(part)

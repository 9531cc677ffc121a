"""The language model of a two tower: opened, tuned, put over other texts, and its tuning taken out again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recnb.data.media import FOLDERS
from recnb.encoders.loading import cited
from recnb.encoders.text.translation import BackTranslation
from recnb.encoders.text.views import WordNoise, vocabulary_of
from recnb.errors import InputError
from recnb.models.two_tower.settings import Settings, Tuning
from recnb.recommender import LanguageModel, Reads
from recnb.tuning.methods import counts, merged

if TYPE_CHECKING:
    from recnb.encoders.text.tower import TextTower
    from recnb.encoders.text.vocabulary import Vocabulary
    from recnb.tuning.bank import Adapter

_OWN_WEIGHTS = ("bitfit", "layer_norm")  # train weights that the language model has


@dataclass(frozen=True)
class Language:
    """Which language model a two tower reads with.

    Attributes
    ----------
    name, checksum : str
    dim : int
        Numbers in a state.
    n_parameters : int
        Of the language model as it was opened.
    layers : tuple of int
        Those whose states the head reads.
    added : int
        Numbers that the method put beside it.
    """

    name: str = "none"
    checksum: str = ""
    dim: int = 1
    n_parameters: int = 0
    layers: tuple[int, ...] = (0,)
    added: int = 0

    def state(self) -> dict[str, Any]:
        """What is saved."""
        return {**asdict(self), "layers": list(self.layers)}

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Language:
        """The inverse of :meth:`state`."""
        return cls(**{**state, "layers": tuple(state["layers"])})

    @property
    def base(self) -> dict[str, Any]:
        """What an adapter says of the model that it belongs to."""
        return {k: getattr(self, k) for k in ("name", "checksum", "dim", "n_parameters")}


def new_tower(encoder: Any, settings: Settings, texts: Sequence[str]) -> tuple[TextTower, Language]:
    """A language model at its start, changed for the method, over some texts."""
    import torch

    from recnb.encoders.text.tower import TextTower
    from recnb.models.two_tower.heads import LAYERED

    tuning, n = settings.tuning, encoder.n_layers
    reads_all = settings.scoring.head in LAYERED or tuning.method == "side_adapter"
    layers = tuple(range(n + 1)) if reads_all else (n,)
    # counted before the method changes it
    words = _words(encoder, settings)
    facts = (encoder.name, encoder.checksum, encoder.dim, encoder.n_parameters)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.optimisation.seed)
        tower = TextTower(
            encoder, texts, layers, tuning.depth(n), adapt=tuning.adapt(), words=words
        )
    tower.packs = settings.regularisation.adversarial == "none"  # its ball is that of a text
    adapted = tower.network is not None and tuning.adapt() is not None
    added = counts(tower.network)[0] if adapted and tuning.method not in _OWN_WEIGHTS else 0
    return tower, Language(*facts, layers, added)


def _words(encoder: Any, settings: Settings) -> Vocabulary | None:
    """What may stand for the words of a text in a step; None where they are read once.

    Raises
    ------
    InputError
        Words are to change that frozen layers have read already.
    """
    asked, depth = settings.regularisation, settings.tuning.depth(encoder.n_layers)
    if settings.tuning.frozen or not asked.changes_words:
        return None
    if depth < encoder.n_layers:
        raise InputError(
            f"word_dropout and synonyms change words that the lower {encoder.n_layers - depth} layers have read once",
            mend=f"train all layers (n_layers={encoder.n_layers}), or none (method='head_only')",
        )
    return vocabulary_of(encoder, bool(asked.synonyms))


def other_readings(
    encoder: Any, settings: Settings, texts: Sequence[str], layers: Sequence[int]
) -> np.ndarray | None:
    """States of texts with other words, (n_views, n_texts, n_layers, dim), float32; None where none are asked for.

    Parameters
    ----------
    encoder : TextEncoder
    settings : Settings
    texts : sequence of str
        Distinct.
    layers : sequence of int
    """
    asked = settings.regularisation
    if not settings.tuning.frozen or not asked.has_views:
        return None
    readings = []
    translated = []
    if asked.back_translation is not None:
        there, back = asked.back_translation.split(",")
        translated = BackTranslation(there, back).paraphrases(texts, asked.n_views)
    for view in range(asked.n_views):
        told = translated[view] if translated else list(texts)
        noise = WordNoise(asked.word_dropout, asked.synonyms, view) if asked.changes_words else None
        readings.append(encoder.encode_layers(told, noise=noise)[:, list(layers)])
    return np.stack(readings)


def tuned_tower(
    encoder: Any,
    tuning: Tuning,
    language: Language,
    tuned: dict[str, np.ndarray],
    texts: Sequence[str],
) -> TextTower:
    """The language model as tuned, over other texts.

    Raises
    ------
    InputError
        `encoder` is not the one that was tuned.
    """
    from recnb.encoders.text.tower import TextTower

    if encoder.checksum != language.checksum:
        raise InputError(
            f"the model was trained on {language.name} with weights {language.checksum[:12]}, "
            f"here are {encoder.checksum[:12]}",
            mend="give the same encoder",
        )
    depth = tuning.depth(encoder.n_layers)
    return TextTower(encoder, texts, language.layers, depth, tuned=tuned, adapt=tuning.adapt())


def reads_of(settings: Settings, state: dict[str, Any] | None) -> Reads:
    """What a two tower reads: by its settings, and where it is fitted by its state."""
    asked = (settings.fusion.modalities or "text").replace("auto", "text+media")
    names = tuple(part.strip() for part in asked.split("+"))
    columns, language = {"text"}, cited(settings.reading.encoder)
    unsure = False
    if state is None:
        unsure = bool(set(names) - {"text", "id", "attributes", "media", *FOLDERS})
    else:
        names = tuple(state["reader"]["names"]) or names
        facts = state["reader"]["modalities"]["facts"]
        columns |= {name for name, fact in facts.items() if fact["kind"] == "column"}
        if state["language"]["n_parameters"]:
            opened = state["language"]
            language = LanguageModel(opened["name"], opened["n_parameters"])
    in_words = bool(set(names) & columns) or settings.users.in_words
    ids = settings.scoring.item_id or "id" in names or "id" in settings.users.parts
    return Reads(
        "pairs" if ids else "none",
        tuple(name for name in names if name != "id"),
        (language,) * in_words,
        settings.users.traits,
        not unsure,
    )


def tuned_size(tuned: dict[str, np.ndarray]) -> int:
    """Numbers among what :meth:`recnb.encoders.TextTower.tuned` gave."""
    return sum(value.size for name, value in tuned.items() if name != "vocabulary")


def adapter_of(tuning: Tuning, language: Language, tuned: dict[str, np.ndarray]) -> Adapter:
    """The tuning as a file of its own.

    Raises
    ------
    InputError
        The language model was not tuned.
    """
    from recnb.tuning.bank import Adapter

    if not tuned_size(tuned):
        raise InputError(f"'{tuning.method}' leaves the language model as it is", mend="tune it")
    settings = {name: getattr(tuning, name) for name in ("size", "alpha", "targets", "n_layers")}
    return Adapter(tuning.method, settings, language.base, dict(tuned))


def merged_weights(tower: TextTower, encoder: Any) -> dict[str, np.ndarray]:
    """Weights of a language model that change where a tower's updates are added into them.

    Parameters
    ----------
    tower : TextTower
        Changed.
    encoder : TextEncoder
        Opened anew.

    Raises
    ------
    InputError
        The method cannot be merged.
    """
    network = merged(tower.network)
    before = dict(encoder.model.named_parameters())
    return {
        name: weight.detach().cpu().numpy()
        for name, weight in network.named_parameters()
        if name in before and not weight.equal(before[name])
    }

"""Three ways to say how well each item fits a wish: by its columns, by asking a decoder, by its text's vector."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from recnb.data.text import Text
from recnb.errors import InputError
from recnb.models.common.histories import Told
from recnb.models.common.item_tables import unit
from recnb.models.language.control.reading import Vocabulary
from recnb.models.language.control.wish import Wish
from recnb.models.language.prompt import Prompts
from recnb.models.language.templates import open_template
from recnb.progress import note, tell
from recnb.recommender import LanguageModel, Reads

NEUTRAL = "anything is fine"  # what a decoder answers without a wish is asked with this one
_AT_ONCE = 128  # texts given to the decoder
_WORDS = 60  # of an item's text


@dataclass(frozen=True, eq=False)
class Fit:
    """How well the items fit a wish.

    Parameters
    ----------
    values : ndarray of shape (n_items,), float64, or None
        Higher is better; NaN where nobody asked. None: the wish says nothing about the items, and lists stay as they
        are.
    hard : bool
        Values are 1 and 0, and what does not fit goes to the end.
    said : tuple of str
        What was understood, line by line.
    """

    values: np.ndarray | None
    hard: bool = False
    said: tuple[str, ...] = ()


class Way:
    """A way to read a wish; it keeps what it has computed, so one object serves many wishes."""

    def fit_of(self, wish: Wish, items: pd.DataFrame, popularity: np.ndarray) -> Fit:
        """How well each item fits a wish that is not empty."""
        raise NotImplementedError(f"{type(self).__name__} does not implement fit_of")

    def reads(self) -> Reads:
        """What it reads of the items."""
        raise NotImplementedError(f"{type(self).__name__} does not implement reads")

    def settings(self) -> dict[str, Any]:
        """Its settings by name."""
        return {k: v for k, v in vars(self).items() if not k.startswith("_")}

    def to_json(self) -> dict[str, Any]:
        """Settings as plain values, so that a saved model keeps them."""
        return {k: v.to_json() if isinstance(v, Text) else v for k, v in self.settings().items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Way:
        """The way that :meth:`to_json` described."""
        given = {k: Text.from_json(v) if isinstance(v, dict) else v for k, v in values.items()}
        return cls(**given)

    def __deepcopy__(self, memo: Any) -> Way:
        return self  # a clone of a model asks with what is held already

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.settings().items())})"
        )


class Filter(Way):
    """The wish as conditions on columns (:class:`~recnb.models.language.control.reading.Vocabulary`); no model."""

    def fit_of(self, wish: Wish, items: pd.DataFrame, popularity: np.ndarray) -> Fit:
        reading = Vocabulary(items).read(wish)
        if not reading.rule:
            return Fit(None, True, reading.said)
        obeys = reading.rule.mask(items)
        if not obeys.any():
            return Fit(None, True, (*reading.said, "no item fulfils it: lists stay as they are"))
        return Fit(obeys.astype(float), True, reading.said)

    def reads(self) -> Reads:
        return Reads(modalities=("attributes",))


class Asked(Way):
    """A decoder is asked, once for each distinct item text, whether it fits the wish.

    Parameters
    ----------
    decoder : str
        As :class:`recnb.encoders.decoder.Decoder` takes it.
    template : str
        A wording of kind "wish": a name of :func:`recnb.models.language.templates.template_names`, or a file.
    text : Text, optional
        What it is told of an item; by default all columns that :class:`recnb.data.text.Text` chooses, 60 words.
    thing : str
        What an item is: "film".
    most : int, optional
        Only the most used so many items are asked about; None means all.
    dtype, device : str
        As the decoder takes them.

    Notes
    -----
    The value is the log-odds of yes against no, less those of the same item where the wish is "anything is fine": a
    decoder that says yes to everything, or to famous titles, gains nothing by it. The wish stands first, so it is
    read once for all items; answers are kept by wish and text.

    References
    ----------
    Zhao et al. (2021), "Calibrate before use", ICML, section 5: the answer to an input without content is taken away.
    """

    def __init__(
        self,
        decoder: str = "smollm2-135m-instruct",
        template: str = "plain",
        text: Text | None = None,
        thing: str = "item",
        most: int | None = None,
        dtype: str = "float32",
        device: str = "auto",
    ) -> None:
        if most is not None and (isinstance(most, bool) or most < 1):
            raise InputError(f"most={most!r}", mend="a whole number of at least 1, or None")
        self.decoder = decoder
        self.template = template
        self.text = text
        self.thing = thing
        self.most = most
        self.dtype = dtype
        self.device = device
        self._held: dict[tuple[str, str], float] = {}

    def reads(self) -> Reads:
        from recnb.encoders.decoder import cited_decoder

        model: LanguageModel = cited_decoder(self.decoder)
        return Reads(modalities=("text",), language_models=(model,))

    def fit_of(self, wish: Wish, items: pd.DataFrame, popularity: np.ndarray) -> Fit:
        texts = (self.text or Text(max_words=_WORDS))(items)
        codes = np.arange(len(texts))
        if self.most is not None and self.most < len(texts):
            codes = np.sort(np.lexsort((items.index.to_numpy(str), -popularity))[: self.most])
        values = np.full(len(texts), np.nan)
        asked = [texts[code] for code in codes]
        values[codes] = self.log_odds(wish.text, asked) - self.log_odds(NEUTRAL, asked)
        said = f"{len(set(asked)):,} texts were asked about"
        if len(codes) < len(texts):
            said += f", of the {len(codes):,} most used of {len(texts):,} items; the others go to the end"
        return Fit(values, said=(said,))

    def log_odds(self, wish: str, texts: list[str]) -> np.ndarray:
        """Log-odds of the first answer word against the second for each text: (n,), float64."""
        missing = sorted({t for t in texts if (wish, t) not in self._held})
        if missing:
            prompts = Prompts(self._opened, self._wording, missing, self.thing)
            prompts.words["wish"] = wish
            if len(missing) > _AT_ONCE:
                note(f"{self._opened.name} is asked about {len(missing):,} texts: {wish[:60]}")
        for start in range(0, len(missing), _AT_ONCE):
            codes = np.arange(start, min(start + _AT_ONCE, len(missing)))
            shared, behind = prompts.about_items([Told()], [codes])
            (found,) = self._opened.label_log_probabilities(shared, behind, self._wording.answers)
            for code, (yes, no) in zip(codes, found):
                self._held[wish, missing[code]] = float(yes - no)
            tell("texts asked about", int(codes[-1]) + 1, len(missing))
        return np.array([self._held[wish, text] for text in texts])

    @cached_property
    def _wording(self) -> Any:
        return open_template(self.template, "wish")

    @cached_property
    def _opened(self) -> Any:
        from recnb.encoders.decoder import Decoder

        return Decoder(self.decoder, device=self.device, dtype=self.dtype)


class Edited(Way):
    """The user vector of a text model moves toward what the wish names, and away from what it names with "no".

    Parameters
    ----------
    encoder : str, optional
        As in :class:`~recnb.models.content.meaning.TextFrozen`.
    text : Text, optional
        Of the items, as there.

    Notes
    -----
    With user vector u, wish vector w and item vector v the edited score is (u + weight w) v: the wish adds w v to
    every item, the same for all users, so it can be added to any model. Item vectors are centred on the catalogue's
    mean and of length 1, w is the sum of the clauses' vectors, those of unwanted ones subtracted, and of length 1.

    References
    ----------
    Rocchio (1971), "Relevance feedback in information retrieval": a query moves toward what is wanted and away from
    what is not.
    """

    def __init__(self, encoder: str | None = None, text: Text | None = None) -> None:
        self.encoder = encoder
        self.text = text
        self._vectors: dict[tuple[str, ...], np.ndarray] = {}

    def reads(self) -> Reads:
        from recnb.encoders.loading import cited

        return Reads(modalities=("text",), language_models=(cited(self.encoder),))

    def fit_of(self, wish: Wish, items: pd.DataFrame, popularity: np.ndarray) -> Fit:
        clauses = wish.clauses()
        if not clauses:
            return Fit(None, said=("nothing is named",))
        signs = np.array([1.0 if clause.wanted else -1.0 for clause in clauses])
        named = self._opened.encode([clause.text for clause in clauses]).astype(np.float64)
        edit = signs @ unit(named)
        said = tuple(f"{'toward' if c.wanted else 'away from'} '{c.short}'" for c in clauses)
        return Fit(self._of_items(items) @ unit(edit[None])[0].astype(np.float64), said=said)

    def _of_items(self, items: pd.DataFrame) -> np.ndarray:
        texts = tuple((self.text or Text())(items))
        if texts not in self._vectors:
            vectors = self._opened.encode(list(texts))
            # summed in the order of the texts, not of the catalogue
            order = np.argsort(np.array(texts, dtype=object), kind="stable")
            shift = vectors[order].mean(axis=0, dtype=np.float64).astype(np.float32)
            self._vectors = {texts: unit(vectors - shift).astype(np.float64)}
        return self._vectors[texts]

    @cached_property
    def _opened(self) -> Any:
        from recnb.encoders import TextEncoder

        return TextEncoder() if self.encoder is None else TextEncoder(self.encoder)


WAYS: dict[str, type[Way]] = {"decoder": Asked, "filter": Filter, "history": Edited}


def way_of(way: str | Way) -> Way:
    """A way by its name, with its usual settings, or as it is."""
    if isinstance(way, Way):
        return way
    if way not in WAYS:
        raise InputError(f"way='{way}'", mend=f"one of {', '.join(WAYS)}")
    return WAYS[way]()

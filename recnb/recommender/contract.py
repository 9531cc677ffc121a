"""The contract of every model, from popularity to a tuned language model: fit, score, and abilities it may have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator

from recnb import optional
from recnb.data import Dataset, Text
from recnb.errors import InputError
from recnb.files import whole_folder, write_json
from recnb.recommender.packing import pack
from recnb.recommender.reads import Reads

SCHEMA = 2  # of a saved model's folder


class Lacks(InputError, AttributeError):
    """What a model has not: `hasattr` says so, and whoever asks for it reads why in one line."""


class Recommender(BaseEstimator):
    """A scikit-learn estimator that scores every item for a user.

    A subclass takes its settings in ``__init__`` (stored under the same names, not changed), implements
    :meth:`_fit` and :meth:`score`, and stores what it learns in attributes that end with an underscore.

    Abilities are methods that are there or not: ``predict(users, items)`` in rating units, ``factors()``
    (vectors of users and items whose product orders the items of each as ``score(users)`` does: lists are made of it),
    ``with_items(items)``, ``score_histories(histories)`` (scores for people by lists of liked item codes alone, the
    oldest first: how a service answers strangers), ``score_candidates(users, items, history)``
    (:class:`~recnb.recommender.candidates.CandidateScorer`). For reasons (:mod:`recnb.effect.reasons`):
    ``history_of(user)``, what it knows a user by; ``history_parts(history, items)``, where a score is a sum over the
    history; ``word_reader(items)``, an object whose ``parts(history, item)`` gives words and what each adds.

    Attributes
    ----------
    cheap : bool
        Fits in seconds; evaluated again under other tie orders.
    cheap_items : int or None
        The largest catalogue for which that holds; None means any.
    seeded : bool
        Fitting draws random numbers, so several seeds say more than one. Such a model has a setting `seed`.
    uses_valid : bool
        Fitting with `valid` chooses something (epochs, a weight): it is fitted on train with valid first, and then
        again on all that is known with what :meth:`chosen` says.
    needs_text : bool
        It cannot be fitted without item text.
    needs_ratings : bool
        It cannot be fitted without ratings.
    packages : tuple of str
        Modules beyond the core that it imports.
    uses_history : bool
        A history given to :meth:`score` counts, so that a user unknown to `fit` is served without retraining.
    ways : tuple of str
        Settings, ``name=value``, under which it reads something else than by default: told in the table of models.
    """

    cheap = False
    cheap_items: int | None = None
    seeded = False
    uses_valid = False
    needs_text = False
    needs_ratings = False
    packages: tuple[str, ...] = ()
    uses_history = False
    ways: tuple[str, ...] = ()

    def fit(self, train: Dataset, valid: Dataset | None = None) -> Recommender:
        """Learn from `train`; a model that stops early watches `valid` and leaves `n_epochs_`.

        Returns
        -------
        self
        """
        if not isinstance(train, Dataset):
            raise InputError(
                f"fit expects a recnb Dataset, got {type(train).__name__}",
                mend="Dataset.from_frames(frame)",
            )
        self._template()
        self._check_texts(train)
        try:
            self.remember(train)
            self._fit(train, valid)
        except BaseException:
            self._forget()
            raise
        return self

    def _forget(self) -> None:
        """Drop what has been learned: half of a fit is none."""
        for name in [n for n in vars(self) if n.endswith("_") and not n.startswith("_")]:
            delattr(self, name)

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        raise NotImplementedError(f"{type(self).__name__} implements neither fit nor _fit")

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        """Scores of all items for some users.

        Parameters
        ----------
        users : ndarray of shape (n,), int
            User codes; callers pass blocks.
        history : Dataset, optional
            What is known of the users now, over the same users and items; None means the training data.

        Returns
        -------
        ndarray of shape (n, n_items), float32
            Higher is better. Every value is finite.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement score")

    def score_among(
        self,
        users: np.ndarray,
        allowed: np.ndarray | None = None,
        barred: sparse.csr_matrix | None = None,
        history: Dataset | None = None,
    ) -> np.ndarray:
        """Scores of all items, where it is known which of them may be listed at all.

        By default those of :meth:`score`. A model for which it matters (one that looks closely at few items) looks at
        these alone; what may not be listed gets any finite value.

        Parameters
        ----------
        users : ndarray of shape (n,), int
        allowed : ndarray of shape (n_items,), bool, optional
            The only items that may be listed.
        barred : csr_matrix of shape (n, n_items), optional
            Stored entries may not be listed.
        history : Dataset, optional

        Returns
        -------
        ndarray of shape (n, n_items), float32
        """
        return self.score(users, history)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name == "with_items":
                problem, mend = self._no_new_items()
                raise Lacks(problem, mend=mend)
            if name.endswith("_") and not name.startswith("_") and not self.fitted:
                raise Lacks(f"{type(self).__name__} is not fitted", mend="call fit first")
            return object.__getattribute__(self, name)

    def _no_new_items(self) -> tuple[str, str]:
        """Why this model has no `with_items`, and what can be done."""
        return (
            f"{type(self).__name__} scores no items that come after fitting",
            "fit it again, or take a model with 'new items' in the table of `recnb models`",
        )

    def remember(self, train: Dataset) -> None:
        """Keep the ids and the digest of the training data, so that lists and saved models can name them."""
        self.user_ids_ = train.user_ids
        self.item_ids_ = train.item_ids
        self.dataset_identity_ = train.identity
        self.dataset_digest_ = train.digest

    def reads(self) -> Reads:
        """What the model reads, by its settings, or as it was fitted: ids, modalities, language models, traits.

        A class that does not say is reported as unknown, and stands on neither side of "with and without a
        language model".
        """
        return Reads.unknown()

    def text_columns(self, items: pd.DataFrame) -> tuple[str, ...]:
        """The columns of an items table that are read as text, by the settings; none where no text is read."""
        return tuple(self._template().chosen(items)) if self.needs_text else ()

    def check_installed(self) -> None:
        """Raise where a package that the model needs is missing; before any fitting."""
        optional.check_installed(type(self).__name__, *self.packages)

    def check_data(self, train: Dataset) -> None:
        """Raise where the data lack what the model needs, as far as it can be told before any fitting."""
        if self.needs_ratings and train.feedback != "explicit":
            raise InputError(
                f"{type(self).__name__} predicts ratings and '{train.name}' is {train.feedback} feedback",
                mend="declare feedback='explicit' or use als",
            )
        if self.needs_text:
            self._template().chosen(train.items)
            self._check_texts(train)

    def _check_texts(self, train: Dataset) -> None:
        """Raise where a model that knows items by their texts alone has none that differ: all its scores would tie."""
        if not self.needs_text or len(train.items) < 2:
            return
        try:
            self._template().check_apart(train.items)
        except InputError:
            if self.reads() == Reads("none", ("text",), self.reads().language_models):
                raise

    def _template(self) -> Text:
        """How a model that needs text has it put together; a bare word in its place is refused."""
        told = getattr(self, "text", None)
        if isinstance(told, str) and self.needs_text:
            raise InputError(
                f"{type(self).__name__}: text='{told}' is no template",
                mend=f"text=Text('{told}') reads this column (recnb.Text)",
            )
        return told if isinstance(told, Text) else Text()

    def chosen(self) -> dict[str, Any]:
        """Settings that fitting with `valid` found, by name: those to keep when refitting.

        The base class knows `n_epochs_`, for a model with a setting `n_epochs`.
        """
        found = getattr(self, "n_epochs_", None)
        if found is None or "n_epochs" not in self.get_params():
            return {}
        return {"n_epochs": int(found)}

    def choice_remarks(self) -> tuple[str, ...]:
        """What a reader has to know of what fitting with `valid` found; a note of the report each."""
        return ()

    def costs(self) -> dict[str, float]:
        """What the model measured of its own work, by name, for the table of costs; most measure nothing."""
        return {}

    def remarks(self) -> tuple[str, ...]:
        """What a reader of its results has to know of how it was fitted; a note of the report each."""
        return tuple(getattr(self, "remarks_", ()))

    def parameters(self) -> tuple[int, int]:
        """Numbers that the model holds: (trainable, total). Counted over its fitted float arrays."""
        total = 0
        for name, value in vars(self).items():
            if not name.endswith("_"):
                continue
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, Recommender):
                    total += part.parameters()[1]
                elif sparse.issparse(part):
                    total += part.nnz
                elif isinstance(part, np.ndarray) and part.dtype.kind == "f":
                    total += part.size
        return total, total

    @property
    def fitted(self) -> bool:
        """Whether :meth:`fit` has been called."""
        return any(name.endswith("_") and not name.startswith("_") for name in vars(self))

    def save(self, path: str | Path) -> None:
        """Write a folder of json and safetensors; nothing in it runs code when it is read.

        Raises
        ------
        InputError
            The model is not fitted, holds something that has no safe form, or the folder holds something else than
            a saved model, whose place is taken.
        """
        if not self.fitted:
            raise InputError(f"{type(self).__name__} is not fitted", mend="call fit first")
        with whole_folder(path, ours="model.json") as part:
            self._write(part)

    def _write(self, path: Path) -> None:
        # A model that another one holds may be its setting, and not fitted.
        path.mkdir(exist_ok=True)
        plain: dict[str, Any] = {}
        arrays: dict[str, np.ndarray] = {}
        models: dict[str, Recommender] = {}
        state = {k: v for k, v in vars(self).items() if k.endswith("_")}
        for name, value in {**state, **self.get_params(deep=False)}.items():
            pack(name, value, plain, arrays, models)
        from safetensors.numpy import save_file

        save_file(arrays, path / "model.safetensors")
        for name, model in models.items():
            (model.save if model.fitted else model._write)(path / name)
        head = {
            "schema": SCHEMA,
            "class": f"{type(self).__module__}:{type(self).__qualname__}",
            "values": plain,
            "models": sorted(models),
        }
        write_json(path / "model.json", head)

"""The part of the model that says what its scores come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.utils.metaestimators import available_if

if TYPE_CHECKING:
    from recnb.models.two_tower.network import TwoTowerNetwork
    from recnb.models.two_tower.reasons.words import GradientWords
    from recnb.models.two_tower.settings import Settings
    from recnb.models.two_tower.state import TowerState


class Explains:
    """Reasons of a fitted :class:`~recnb.models.two_tower.model.TwoTower`."""

    if TYPE_CHECKING:

        @property
        def settings(self) -> Settings: ...

        @property
        def _state(self) -> TowerState: ...

        @property
        def network(self) -> TwoTowerNetwork: ...

        def open_encoder(self) -> Any: ...

    @available_if(lambda self: self.settings.users.pools)
    def history_of(self, user: int) -> np.ndarray:
        """Codes of the items that make up the user's vector, the oldest first, (n,), int64."""
        items = self._state.users.items
        assert items is not None  # they are pooled
        history = items[user]
        return np.asarray(history[history >= 0], dtype=np.int64)

    @available_if(lambda self: self.settings.explains_words)
    def word_reader(
        self, items: pd.DataFrame, steps: int = 24, reset: int | None = None
    ) -> GradientWords:
        """What each word of an item's text adds to a score, by integrated gradients.

        Parameters
        ----------
        items : DataFrame
            The items table, a row each in the order of the codes.
        steps : int
            Points on the way from a text of masks to the text.
        reset : int, optional
            Seed of weights that are drawn anew, the language model's among them: a test of sanity, whose reasons should
            explain nothing.
        """
        from recnb.models.two_tower.reasons.words import GradientWords

        return GradientWords(self._state, self.network, self.open_encoder(), items, steps, reset)

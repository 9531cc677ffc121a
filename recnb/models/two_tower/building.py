"""How the network of a two tower is put together from its settings and from what is known of items and users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from recnb.models.two_tower.fusion import Fuse
from recnb.models.two_tower.heads import LAYERED, Head, make_head
from recnb.models.two_tower.items import ItemFacts
from recnb.models.two_tower.language import Language
from recnb.models.two_tower.network import TwoTowerNetwork
from recnb.models.two_tower.settings import Settings
from recnb.models.two_tower.users import UserTower
from recnb.training.regularisation.objective import Objective
from recnb.tuning.adapters import SideAdapter
from recnb.tuning.methods import method_of

WIDTH = 128  # of the learned space


@dataclass(frozen=True)
class Blueprint:
    """All that the shape of the network depends on.

    Attributes
    ----------
    settings : Settings
    language : Language
    items : ItemFacts
    n_users, n_traits : int
    reads_text, item_id : bool
        As :class:`recnb.models.two_tower.items.ItemReader` says.
    mean : float
        Added to every score.
    """

    settings: Settings
    language: Language
    items: ItemFacts
    n_users: int
    n_traits: int
    reads_text: bool
    item_id: bool
    mean: float

    def build(self, states: torch.Tensor, tower: Any = None) -> TwoTowerNetwork:
        """The network at its start, the same for equal seeds.

        Parameters
        ----------
        states : Tensor of shape (n_texts, n_layers, dim)
        tower : TextTower, optional
            What computes the states; None where they stay as they are.
        """
        optimisation = self.settings.optimisation
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(optimisation.seed)
            side, n_layers = self._side(), len(self.language.layers)
            n_layers = n_layers if side is None else 1
            fuse = self._fuse(n_layers)
            head = self._head(n_layers, fuse)
            users = UserTower(self.settings.users.parts, self.n_users, head.width, self.n_traits)
            return TwoTowerNetwork(
                states,
                torch.from_numpy(self.items.places),
                head,
                users,
                self.n_users,
                self._objective(),
                torch.from_numpy(self.items.known),
                tower,
                self.item_id,
                torch.from_numpy(self.items.wide) if self.settings.reading.words else None,
                self.mean,
                optimisation.dropout,
                optimisation.l2,
                side=side,
                fuse=fuse,
                unit=self.settings.starts_pretrained,
            )

    def _objective(self) -> Objective:
        asked = self.settings.regularisation
        return Objective(self.settings.scoring.loss, asked.label_smoothing, asked.r_drop)

    def _side(self) -> SideAdapter | None:
        tuning = self.settings.tuning
        if tuning.method != "side_adapter":
            return None
        width = tuning.size or method_of(tuning.method).size
        return SideAdapter(len(self.language.layers), self.language.dim, width)

    def _fuse(self, n_layers: int) -> Fuse | None:
        """What makes one vector of the modalities; None where there is the text alone."""
        if not self.items.tables:
            return None
        return Fuse(
            self.settings.fusion.fusion,
            [torch.from_numpy(table) for table in self.items.tables.values()],
            torch.from_numpy(self.items.present),
            self.settings.scoring.width or WIDTH,
            n_layers * self.language.dim if self.reads_text else 0,
            self.settings.optimisation.dropout,
            self.settings.fusion.modality_dropout,
        )

    def _head(self, n_layers: int, fuse: Fuse | None) -> Head:
        scoring = self.settings.scoring
        given: dict[str, Any] = {} if scoring.head in LAYERED else {"width": scoring.width or WIDTH}
        if self.settings.starts_pretrained and scoring.width is None:
            given["width"] = self.language.dim
        if scoring.head == "dot":
            given["temperature"] = scoring.temperature
        if scoring.head == "mlp":
            given["dropout"] = self.settings.optimisation.dropout
        if fuse is None:
            return make_head(scoring.head, n_layers, self.language.dim, **given)
        if scoring.head == "dot":
            given["width"] = None  # the fused vectors are in the learned space
        return make_head(scoring.head, 1, fuse.width, **given)

"""The network of the two tower: item texts and users in, scores or a loss out."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from recnb.encoders.text.tower import TextTower
from recnb.models.two_tower.fusion import Fuse
from recnb.models.two_tower.heads import Head
from recnb.models.two_tower.users import UserTower
from recnb.training.batches import FRESH, LIVE
from recnb.training.regularisation.objective import Objective, Scores
from recnb.tuning.methods import budget_of

CELLS = 2**22  # of a block of pairs when all are scored


class TwoTowerNetwork(nn.Module):
    """A head over item states and users.

    Parameters
    ----------
    states : Tensor of shape (n_texts, n_layers, dim), float32
        Pooled states of the distinct texts: of the items first, then of users where they have texts.
    place : Tensor of shape (n_items,), int64
        The text of each item.
    head : Head
    users : UserTower
    n_users : int
    loss : str or Objective
        Of :data:`recnb.training.losses.LOSSES`, or with what is added to it.
    known_items : Tensor of shape (n_items,), bool
        Items with training rows. The others have no id vector and no bias of their own.
    tower : TextTower, optional
        What computes the states; None where they stay as they are.
    item_id : bool
        A learned vector and bias for each known item, added to what its text says.
    wide : Tensor of shape (n_items, n_wide), optional
        Further columns of items (weighted words, say), mapped linearly and added.
    mean : float
        Added to every score: the mean rating.
    dropout : float
        Share of the coordinates of item states dropped in training.
    l2 : float
        Penalty on the squared length of the id vectors and biases of each row of a batch (Koren et al. 2009,
        equation 2): a user with more rows may move further.
    side : SideAdapter, optional
        Turns the states of all layers into one before the head reads them.
    fuse : Fuse, optional
        Makes one vector of an item's text and its other modalities before the head reads it.
    unit : bool
        States are scaled to length 1 before they are centred and again after.
    joint : bool
        A live batch gives gradients to all parts. By default it trains the encoder alone: users and heads
        would be pulled towards the few items of the batch.

    Notes
    -----
    States are centred and scaled, one shift and one factor a layer, both fixed at the start: sentence vectors share a
    large common part. `states` is a table: live batches write into it, head batches read from it.
    """

    states: torch.Tensor
    place: torch.Tensor
    shift: torch.Tensor
    known_items: torch.Tensor
    fresh: torch.Tensor
    size: torch.Tensor
    mean: torch.Tensor
    wide: torch.Tensor
    views: torch.Tensor | None

    def __init__(
        self,
        states: torch.Tensor,
        place: torch.Tensor,
        head: Head,
        users: UserTower,
        n_users: int,
        loss: str | Objective,
        known_items: torch.Tensor,
        tower: TextTower | None = None,
        item_id: bool = False,
        wide: torch.Tensor | None = None,
        mean: float = 0.0,
        dropout: float = 0.0,
        l2: float = 0.0,
        joint: bool = False,
        side: nn.Module | None = None,
        fuse: Fuse | None = None,
        unit: bool = False,
    ) -> None:
        super().__init__()
        self.side, self.fuse, self.unit, self._moved = side, fuse, unit, False
        self.budget = None if tower is None else budget_of(tower.network)
        self.tower, self.head, self.users = tower, head, users
        self.objective = loss if isinstance(loss, Objective) else Objective(loss)
        self.loss = self.objective.loss
        self.given = nn.Identity()  # what is kept of texts passes it: noise on vectors enters here
        self.register_buffer("views", None, persistent=False)
        n_items = len(place)
        self.register_buffer("states", states.clone())
        self.register_buffer("place", place)
        self.register_buffer("known_items", known_items)
        self.register_buffer("fresh", torch.tensor(True))  # whether the table is the encoder's
        given = nn.functional.normalize(states, dim=-1) if unit else states
        shift = given.mean(dim=0)
        size = (given - shift).norm(dim=-1).mean(dim=0).clamp(min=1e-6)
        self.register_buffer("shift", shift)
        self.register_buffer("size", size[:, None])
        self.register_buffer("mean", torch.tensor(float(mean)))
        self.register_buffer("wide", wide)
        self.dropout = nn.Dropout(dropout)
        self.l2, self.joint = l2, joint
        self.user_bias = nn.Embedding(n_users, 1)
        self.line = nn.Linear(head.width, 1, bias=False)
        nn.init.zeros_(self.user_bias.weight)
        nn.init.zeros_(self.line.weight)
        self.item_bias = self.item_table = self.from_wide = None
        if item_id:
            self.item_table = nn.Embedding(n_items, head.width)
            nn.init.normal_(self.item_table.weight, std=0.01)
            self.item_bias = nn.Embedding(n_items, 1)
            nn.init.zeros_(self.item_bias.weight)
        if wide is not None:
            self.from_wide = nn.Linear(wide.shape[1], head.width, bias=False)
            nn.init.orthogonal_(self.from_wide.weight)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Encoder, tables (a row for each user or item) and all else, for the optimiser."""
        return _groups(self, self.tower)

    def encoder_network(self) -> nn.Module | None:
        """The language model, for gradient checkpointing."""
        return None if self.tower is None else self.tower.network

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The loss of a batch.

        Parameters
        ----------
        batch : dict
            `users`, `items` of shape (n,); `kind` (see :mod:`recnb.training.batches`), in a live batch `live`, the
            items whose texts are encoded; `ratings` (n,) for "mse"; `candidates` (m,), `open` (n, m) and `log_q`
            (m,), `own_log_q` (n,) for ranking losses, `shares` (n,) where rows weigh unlike; `history` and `here`
            (n, length), `values` where users have a history; `texts` (n,) where they have one; `traits`.
        """
        if int(batch["kind"]) == FRESH:
            self.refresh()
        candidates = batch.get("candidates")
        parts = [batch["items"]] + ([] if candidates is None else [candidates])
        if self.users.pool is not None:
            parts.append(batch["history"].flatten())
        codes = torch.unique(torch.cat(parts))
        live = self._live(batch["live"]) if int(batch["kind"]) == LIVE else None
        self._moved = live is not None
        scores, loss = self._pass(batch, codes, live)
        if self.objective.r_drop and self.training:
            others, again = self._pass(batch, codes, live)  # other dropout, other readings
            apart = self.objective.apart(scores, others, batch)
            loss = (loss + again) / 2 + self.objective.r_drop * apart
        if live is None:
            return loss
        extra = 0.0 if self.budget is None else self.budget.penalty()
        if self.joint:
            return loss + extra
        # the same value, and its gradient for the encoder alone
        _, states = live
        slope = torch.autograd.grad(loss, states)[0]
        own_part = (states * slope).sum() + extra
        return loss.detach() + own_part - own_part.detach()

    def entry(self) -> nn.Module:
        """Where noise on vectors enters: in the language model where it is trained, else behind it."""
        return self.given if self.tower is None else self.tower.entry() or self.given

    def weights_moved(self) -> None:
        """To be called where weights have changed by other ways than a step: the table is not theirs."""
        self.fresh.fill_(self.tower is None or self.tower.network is None)

    def after_step(self) -> None:
        """What follows a step of the optimiser: a method's budget, where the language model moved."""
        if self.budget is not None and self._moved:
            self.budget.step()

    def _pass(
        self,
        batch: dict[str, torch.Tensor],
        codes: torch.Tensor,
        live: tuple[torch.Tensor, torch.Tensor] | None,
    ) -> tuple[Scores, torch.Tensor]:
        """Scores of a batch's rows, and the loss with its penalty; `codes` are all items in it, rising."""
        vectors = self.vectors(codes, live)
        at = torch.searchsorted(codes, batch["items"])
        history = None
        if self.users.pool is not None:
            where = torch.searchsorted(codes, batch["history"])
            history = (where, batch["here"], batch.get("values"))
        own = vectors[at]
        people = self.people(batch, vectors, history, own)
        bias = self.item_biases(codes, vectors)
        scores, others = self.head.pairs(people, own) + bias[at], None
        if self.loss == "mse":
            scores = scores + self.mean + self.user_bias(batch["users"]).squeeze(-1)
        else:
            chosen = torch.searchsorted(codes, batch["candidates"])
            others = _others(self, batch, people, vectors, history, chosen) + bias[chosen]
        if self.loss == "bce":
            shift = self.user_bias(batch["users"])
            scores, others = scores + shift.squeeze(-1), others + shift
        both = Scores(scores, others)
        return both, self.objective.value(both, batch) + _penalty(self, batch, own)

    def people(
        self,
        batch: dict[str, torch.Tensor],
        vectors: torch.Tensor,
        history: tuple | None,
        targets: torch.Tensor | None,
    ) -> torch.Tensor:
        """User vectors of the rows of a batch, (n, width)."""
        states = batch.get("text_states")
        if "texts" in batch:
            states = self.states[batch["texts"]]
        texts = None if states is None else self.head.items(self.read(states))
        return self.users(
            batch["users"],
            vectors,
            history,
            targets,
            texts,
            batch.get("traits"),
            batch.get("known"),
        )

    def vectors(
        self, codes: torch.Tensor, live: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> torch.Tensor:
        """Vectors of some items, (n, width); those whose texts are `live` (texts, states) with gradients."""
        texts = self.place[codes]
        states = _some_reading(self, texts)
        if live is not None:
            rows, encoded = live
            at = torch.searchsorted(rows, texts).clamp(max=len(rows) - 1)
            hit = rows[at] == texts
            states = torch.where(hit[:, None, None], encoded[at], states)
        read = self.read(self.given(states))
        if self.fuse is None:
            read = self.dropout(read)
        else:
            read = self.fuse(codes, read.flatten(1))[:, None]
        out = self.head.items(read)
        if self.item_table is not None:
            out = out + self.item_table(codes) * self.known_items[codes][:, None]
        if self.from_wide is not None:
            out = out + self.from_wide(self.dropout(self.wide[codes]))
        return out

    def item_biases(self, codes: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        """What an item adds to every score, (n,): a line through its vector, and its own where it is known."""
        out = self.line(vectors).squeeze(-1)
        if self.item_bias is not None:
            out = out + self.item_bias(codes).squeeze(-1) * self.known_items[codes]
        return out

    @torch.no_grad()
    def refresh(self) -> None:
        """Compute the table of states anew, where the encoder has moved."""
        if self.tower is not None and not self.fresh:
            self.states.copy_(self.tower.all_states())
        self.fresh.fill_(True)

    def _live(self, items: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Each distinct text of a batch, sorted, and its states; they also go into the table."""
        assert self.tower is not None
        rows = torch.unique(self.place[items])
        encoded = self.tower(rows)
        with torch.no_grad():
            self.states[rows] = encoded.detach()
            self.fresh.fill_(False)
        return rows, encoded

    def read(self, states: torch.Tensor) -> torch.Tensor:
        """States as the head takes them, centred and scaled."""
        if self.unit:
            states = nn.functional.normalize(states, dim=-1)
        centred = (states - self.shift) / self.size
        if self.unit:
            centred = nn.functional.normalize(centred, dim=-1)
        return centred if self.side is None else self.side(centred)

    @torch.no_grad()
    def score(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Scores of every item for some users, (n, n_items); fields of the batch as in :meth:`forward`."""
        codes = torch.arange(len(self.place), device=self.place.device)
        vectors = self.vectors(codes)
        bias = self.item_biases(codes, vectors)
        history = None
        if self.users.pool is not None:
            history = (batch["history"], batch["here"], batch.get("values"))
        if self.users.pool is not None and self.users.pool.how == "target":
            n = len(batch["users"])
            out = torch.stack([_of_one(self, batch, k, vectors, history) for k in range(n)])
        else:
            people = self.people(batch, vectors, history, None)
            if self.head.linear:
                out = self.head.grid(people, vectors)
            else:
                step = max(1, CELLS // (len(codes) * self.head.width))
                out = torch.cat([self.head.grid(p, vectors) for p in people.split(step)])
        out = out + bias
        if self.loss == "mse":
            own = self.user_bias(batch["users"])
            if "known" in batch:
                own = own * batch["known"][:, None]
            out = out + self.mean + own
        return out


@torch.no_grad()
def take(network: TwoTowerNetwork, users: torch.Tensor, items: torch.Tensor) -> None:
    """Put users and items of a network in another order: the first user is the one of code `users[0]`."""
    tables = [(network.user_bias, users), (network.item_bias, items), (network.item_table, items)]
    tables += [(network.users.table, users)] if "id" in network.users.parts else []
    for table, order in tables:
        if table is not None:
            table.weight.copy_(table.weight[order])
    network.place, network.known_items = network.place[items], network.known_items[items]
    if network.wide is not None:
        network.wide = network.wide[items]
    if network.fuse is not None:
        network.fuse.take(items)


def _others(network, batch, people, vectors, history, chosen) -> torch.Tensor:
    """Scores of the candidates, (n, m)."""
    if network.users.pool is None or network.users.pool.how != "target":
        return network.head.grid(people, vectors[chosen])
    n, wide = len(batch["users"]), vectors.shape[1]
    step = max(1, CELLS // (n * history[0].shape[1] * wide))
    columns = []
    for part in vectors[chosen].split(step):  # the history is weighed anew for each candidate
        m = len(part)
        rows = {
            k: v.repeat_interleave(m, dim=0)
            for k, v in batch.items()
            if k in ("users", "texts", "text_states", "traits", "known")
        }
        past = tuple(None if h is None else h.repeat_interleave(m, dim=0) for h in history)
        targets = part.repeat(n, 1)
        people = network.people(rows, vectors, past, targets)
        columns.append(network.head.pairs(people, targets).view(n, m))
    return torch.cat(columns, dim=1)


def _some_reading(network: TwoTowerNetwork, texts: torch.Tensor) -> torch.Tensor:
    """States of texts as they are; in training those of a reading that is drawn, where there are several."""
    states = network.states[texts]
    if network.views is None or not network.training:
        return states
    drawn = torch.randint(len(network.views) + 1, texts.shape, device=texts.device)
    plain = drawn == len(network.views)
    other = network.views[drawn.clamp(max=len(network.views) - 1), texts]
    return torch.where(plain[:, None, None], states, other)


def _penalty(
    network: TwoTowerNetwork, batch: dict[str, torch.Tensor], own: torch.Tensor
) -> torch.Tensor | float:
    """Of a score p·q both sides count, or one of them grows and the penalty says nothing."""
    if not network.l2:
        return 0.0
    users = batch["users"]
    out = network.user_bias(users).square().mean()
    if "id" in network.users.parts:
        out = out + network.users.table(users).square().sum(-1).mean() + own.square().sum(-1).mean()
    if network.item_bias is not None:
        out = out + network.item_bias(batch["items"]).square().mean()
    return network.l2 * out


def _of_one(
    network: TwoTowerNetwork, batch: dict, k: int, vectors: torch.Tensor, history: Any
) -> torch.Tensor:
    """Scores of one user whose vector depends on the item: the history is weighed for each item."""
    n = len(vectors)
    one = {f: v[k : k + 1].expand(n, *v.shape[1:]) for f, v in batch.items() if v.ndim}
    past = tuple(None if h is None else h[k : k + 1].expand(n, -1) for h in history)
    return network.head.pairs(network.people(one, vectors, past, vectors), vectors)


def _groups(network: nn.Module, tower: TextTower | None) -> list[dict[str, Any]]:
    encoder = [] if tower is None else list(tower.trained_parameters())
    inside: set[int] = set()
    if tower is not None and tower.network is not None:
        inside = {id(p) for p in tower.network.parameters()}
    tables = [m.weight for m in network.modules() if isinstance(m, nn.Embedding)]
    tables = [p for p in tables if id(p) not in inside]
    taken = inside | {id(p) for p in tables}
    rest = [p for p in network.parameters() if id(p) not in taken]
    groups = [("encoder", encoder), ("tables", tables), ("head", rest)]
    return [{"name": name, "params": params} for name, params in groups if params]

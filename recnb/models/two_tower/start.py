"""The start of a two tower at the scores of its frozen language model: training can only add to them."""

from __future__ import annotations

import torch
from torch import nn

from recnb.models.two_tower.heads import Dot
from recnb.models.two_tower.network import TwoTowerNetwork

PENALTY = 10.0  # the usual one of recnb.models.content
SCALES = tuple(k / 2 for k in range(-2, 13))  # logarithms tried


@torch.no_grad()
def start_pretrained(
    network: TwoTowerNetwork, items: torch.Tensor, batch: dict[str, torch.Tensor]
) -> None:
    """Set the head so that the score is that of :class:`recnb.models.content.TextFrozen`, times a factor.

    Parameters
    ----------
    network : TwoTowerNetwork
        With a `Dot` head whose states are of length 1.
    items : Tensor of int64
        Codes of the items that are learned from.
    batch : dict
        Training rows, as the network takes them, by which the factor is chosen.

    Notes
    -----
    With z the centred states of these items, of length 1, and s, v the eigenvalues and eigenvectors of
    z'z, the projection is ``sqrt(l2 / (s + l2)) v'``: directions that many items share count less. The mean of a
    history's projections times an item's is then the ridge regression of the user's likes on the item vectors
    (:class:`recnb.models.content.kernel.ItemKernel`); with fewer dimensions than the states have, those of the
    largest variance are left. The factor, the inverse temperature, is the one of a few under which the rows' loss is
    lowest: with a flat softmax the first steps would undo the start. Id vectors start at zero.
    """
    head = network.head
    assert isinstance(head, Dot)
    states = nn.functional.normalize(network.states, dim=-1)[network.place]
    network.shift.copy_(
        states.mean(dim=0)
    )  # over all items: a text of several counts several times
    vectors = network.read(network.states[network.place[items]]).flatten(1).double()
    values, directions = torch.linalg.eigh(vectors.T @ vectors)
    damping = (PENALTY / (values.clamp(min=0) + PENALTY)).sqrt()
    whitening = (directions * damping).flip(1).T
    nn.init.zeros_(head.project.weight)  # type: ignore[arg-type]
    head.project.weight[: len(whitening)] = whitening[: head.width]  # type: ignore[index, operator]
    for table in (network.item_table, getattr(network.users, "table", None)):
        if table is not None:
            nn.init.zeros_(table.weight)
    network.eval()
    losses = []
    for scale in SCALES:
        head.log_scale.fill_(scale)
        losses.append(float(network(batch)))
    head.log_scale.fill_(SCALES[losses.index(min(losses))])

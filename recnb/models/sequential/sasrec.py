"""SASRec, HSTU and GRU4Rec: the next item from the order of events."""

from __future__ import annotations

from recnb.models.common.settings import flat
from recnb.models.sequential.learned import Learned
from recnb.models.sequential.settings import GROUPS, Attention


@flat(Attention, *GROUPS)
class SASRec(Learned):
    """Self-attention over a user's events predicts the next one.

    Parameters
    ----------
    {settings}

    References
    ----------
    W.-C. Kang & J. McAuley (2018), "Self-attentive sequential recommendation", ICDM; J. Su et al. (2021), "RoFormer".
    """

    reader = "attention"


@flat(Attention, *GROUPS)
class HSTU(Learned):
    """Gated pointwise attention over a user's events predicts the next one.

    Parameters
    ----------
    {settings}

    Notes
    -----
    The layer of the paper without its bias of times and without actions among the tokens.

    References
    ----------
    J. Zhai et al. (2024), "Actions speak louder than words: trillion-parameter sequential transducers for generative
    recommendations", ICML, section 3.
    """

    reader = "gated"


@flat(*GROUPS)
class GRU4Rec(Learned):
    """A recurrent network over a user's events predicts the next one.

    Parameters
    ----------
    {settings}

    References
    ----------
    B. Hidasi et al. (2016), "Session-based recommendations with recurrent neural networks", ICLR; A. Petrov & C.
    Macdonald (2022), "A systematic review and replicability study of BERT4Rec" (with a full softmax it is strong).
    """

    reader = "recurrent"

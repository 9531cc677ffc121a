"""The one table of models: what `make`, the help, the documentation, `recnb models` and the figures read.

A new model is entered here and nowhere else; what it reads, needs and can is said by its class. The classes are loaded
when they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recnb.recommender import Recommender


@dataclass(frozen=True)
class Entry:
    """One name.

    Parameters
    ----------
    home : str or class
        "module:Class", the module within `recnb.models` or anywhere, or the class itself.
    look : tuple of str
        Hue, marker and line style in every figure, see :mod:`recnb.plots.palette`; empty: a hash of the name.
    settings : mapping
        Defaults of this name, where they differ from those of the class.
    """

    home: str | type[Recommender]
    look: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


_M = "recnb.models."
_POPULARITY, _NEIGHBOURS = _M + "classical.popularity:", _M + "classical.neighbours:"
_FACTORS, _VARIATIONAL = _M + "classical.factorisation:", _M + "ratings.variational:"
_CONTENT, _LANGUAGE = _M + "content.", _M + "language."
_TOWER = _M + "two_tower.model:"
_RECENT, _SEQUENTIAL = _M + "classical.recent:", _M + "sequential."

TABLE: dict[str, Entry] = {
    "random": Entry(_POPULARITY + "Random", ("grey", "X", ":")),
    "popularity": Entry(_POPULARITY + "Popularity", ("grey", "s", "--")),
    "recent_popularity": Entry(_POPULARITY + "RecentPopularity", ("grey", "D", "-.")),
    "itemknn": Entry(_NEIGHBOURS + "ItemKNN", ("sky", "o", "-")),
    "userknn": Entry(_NEIGHBOURS + "UserKNN", ("sky", "v", "--")),
    "ease": Entry(_M + "classical.linear:EASE", ("blue", "D", "-")),
    "itemknn_recent": Entry(_RECENT + "RecentItemKNN", ("sky", "d", "-")),
    "ease_recent": Entry(_RECENT + "RecentEASE", ("blue", "d", "-.")),
    "transitions": Entry(_SEQUENTIAL + "transitions:Transitions", ("green", "P", "-")),
    "sknn": Entry(
        _SEQUENTIAL + "sessions:SessionKNN", ("green", "o", ":"), {"decay": 1.0, "idf": 0.0}
    ),
    "vsknn": Entry(
        _SEQUENTIAL + "sessions:SessionKNN", ("green", "s", ":"), {"decay": 0.7, "idf": 1.0}
    ),
    "als": Entry(_FACTORS + "ALS", ("blue", "^", "--")),
    "bpr": Entry(_FACTORS + "BPR", ("blue", "P", "-.")),
    "mf": Entry(_VARIATIONAL + "MF", ("sky", "s", "-.")),
    "svdpp": Entry(_VARIATIONAL + "SVDpp", ("sky", "p", ":")),
    "bfm": Entry(_M + "ratings.bayesian:BFM", ("blue", "h", ":")),
    "bfm_text": Entry(_M + "ratings.text_bfm:TextBFM", ("purple", "h", "-")),
    "baseline": Entry(_M + "ratings.baseline:Baseline", ("grey", "v", ":")),
    "knnbaseline": Entry(_M + "ratings.neighbours:KNNBaseline", ("sky", "^", "-.")),
    "tfidf": Entry(_CONTENT + "words:TfIdf", ("green", "<", "-")),
    "attributes": Entry(_CONTENT + "attributes:Attributes", ("green", ">", "--")),
    "text_frozen": Entry(_CONTENT + "meaning:TextFrozen", ("orange", "o", "--")),
    "text_joint": Entry(_CONTENT + "meaning:TextJoint", ("orange", "D", "-")),
    "sasrec": Entry(_SEQUENTIAL + "sasrec:SASRec", ("black", "o", "--")),
    "hstu": Entry(_SEQUENTIAL + "sasrec:HSTU", ("black", "d", "--")),
    "gru4rec": Entry(_SEQUENTIAL + "sasrec:GRU4Rec", ("black", "v", "-.")),
    "tiger": Entry(_M + "generative.tiger:Tiger", ("black", "X", "-.")),
    "tiger_dense": Entry(_M + "generative.dense:TigerDense", ("black", "P", "-.")),
    "lc_rec": Entry(_M + "generative.writer:LCRec", ("black", "^", "-.")),
    "lm_yes": Entry(_LANGUAGE + "answer:LMYes", ("purple", "P", "-")),
    "lm_likelihood": Entry(_LANGUAGE + "likelihood:LMLikelihood", ("purple", "X", "--")),
    "lm_list": Entry(_LANGUAGE + "listwise:LMList", ("purple", "d", "-.")),
    "lm_embed": Entry(
        _CONTENT + "meaning:TextFrozen",
        ("purple", "o", ":"),
        {"encoder": "smollm2-135m-instruct"},
    ),
    "lightgcn": Entry(_M + "knowledge.lightgcn:LightGCN", ("blue", "X", "--")),
    "lightgcn_attributes": Entry(
        _M + "knowledge.lightgcn:LightGCN", ("green", "X", "-"), {"share": 0.3}
    ),
    "text_weighted_sum": Entry(
        _TOWER + "TwoTower", ("orange", "v", "-."), {"head": "weighted_sum"}
    ),
    "text_dot": Entry(_TOWER + "TwoTower", ("vermilion", "s", "-"), {"head": "dot"}),
    "text_mlp": Entry(_TOWER + "TwoTower", ("vermilion", "^", "--"), {"head": "mlp"}),
    "hybrid": Entry(
        _TOWER + "TwoTower",
        ("vermilion", "D", "-."),
        {"head": "dot", "user": "id+mean", "item_id": True},
    ),
    "fusion": Entry(
        _TOWER + "TwoTower", ("black", "p", "-"), {"head": "dot", "modalities": "auto"}
    ),
    "pair": Entry(_LANGUAGE + "pair:TextPair", ("purple", "<", "-")),
    "tagger": Entry(_LANGUAGE + "tagger:SlateTagger", ("purple", ">", "--")),
}

DEFAULTS = ("random", "popularity", "itemknn", "ease", "tfidf", "text_frozen")  # of recnb evaluate


def classes() -> dict[str, list[str]]:
    """The classes of the table by their module within `recnb.models`."""
    out: dict[str, list[str]] = {}
    for entry in TABLE.values():
        if isinstance(entry.home, str):
            module, _, name = entry.home.removeprefix(_M).partition(":")
            held = out.setdefault(module, [])
            held += [name] * (name not in held)
    return out

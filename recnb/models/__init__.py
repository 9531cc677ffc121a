"""Models, from popularity to blends; each is a :class:`recnb.Recommender`, found by name in the registry."""

from __future__ import annotations

from typing import Any

import lazy_loader

from recnb.models.table import classes

_more = {
    "blends": ["Blend", "Switch"],
    "classical.factorisation": ["solve_rows"],
    "common.histories": ["Histories", "Told", "padded"],
    "common.sequences": ["Sequences"],
    "common.unlabelled": ["choose_items", "disagreement", "with_pseudo_labels"],
    "ensemble": ["Ensemble"],
    "knowledge.graph": ["Facts", "Graph"],
    "knowledge.paths": ["Path", "Paths", "random_reasons", "reliance"],
    "knowledge.series": ["series_of"],
    "generative.identifiers": ["random_codes", "residual_kmeans"],
    "generative.trie": ["Trie"],
    "language.control.measure": ["adherence_of", "moved"],
    "language.control.rules": ["Condition", "Rule"],
    "language.control.steered": ["Steered", "steer"],
    "language.control.ways": ["Asked", "Edited", "Filter"],
    "rerank": ["Rerank"],
    "sequential.transfer": ["Transferred"],
    "sequential.updating": ["Update", "updated"],
    "rules": ["Apart", "kinds_of", "repeated_kinds"],
    "registry": ["About", "about", "describe", "make", "names", "parse_models", "register"],
}
# The classes of the table and what joins them, loaded at first use.
_attribute, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        module: [*classes().get(module, []), *_more.get(module, [])]
        for module in {**classes(), **_more}
    },
)


def __getattr__(name: str) -> Any:
    return _attribute(name)

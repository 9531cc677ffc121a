"""Every measure that an evaluation can hold: what it needs of a model, and which way is up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from recnb.errors import InputError
from recnb.metrics.ranking.auc import auc
from recnb.metrics.ranking.measures import METRICS, UNCUT
from recnb.metrics.rating import mae, mse, rmse

NEEDS = ("lists", "scores", "ratings")


@dataclass(frozen=True)
class Measure:
    """A measure by name.

    Parameters
    ----------
    name : str
    function : callable
        Its documentation defines it.
    needs : {"lists", "scores", "ratings"}
        The first places of a list, a score for every item, or predicted ratings.
    whole : bool
        Reads the whole list, whatever the cut-off.
    """

    name: str
    function: Callable
    needs: str = "lists"
    whole: bool = False

    @property
    def cut(self) -> bool:
        """Whether it is measured at a cut-off k."""
        return self.needs == "lists"

    @property
    def lower_is_better(self) -> bool:
        """Errors of ratings; all others are better where higher."""
        return self.needs == "ratings"


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        **{name: Measure(name, f, "lists", name in UNCUT) for name, f in METRICS.items()},
        "auc": Measure("auc", auc, "scores"),
        **{f.__name__: Measure(f.__name__, f, "ratings") for f in (rmse, mae, mse)},
    }
)
LOWER_IS_BETTER = frozenset(name for name, m in MEASURES.items() if m.lower_is_better)


def measures(names: Iterable[str], needs: tuple[str, ...] = NEEDS) -> list[Measure]:
    """Look measures up.

    Parameters
    ----------
    names : iterable of str
    needs : tuple of str
        Those that will do.

    Raises
    ------
    InputError
        A name is unknown, or its measure needs something else.

    Examples
    --------
    >>> [(m.name, m.needs, m.cut) for m in measures(("ndcg", "auc"))]
    [('ndcg', 'lists', True), ('auc', 'scores', False)]
    """
    known = [name for name, m in MEASURES.items() if m.needs in needs]
    for name in (names := list(names)):
        if name not in known:
            raise InputError(
                f"metric '{name}' is not known here", mend=f"choose among {', '.join(known)}"
            )
    return [MEASURES[name] for name in names]

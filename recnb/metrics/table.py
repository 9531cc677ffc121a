"""Every metric by name, and what each needs: lists, scores or ratings.

One table for the protocol, the judgement, the report and the documentation: a new metric is entered here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from recnb.errors import InputError
from recnb.metrics.ranking import measures, variants
from recnb.metrics.ranking.auc import auc
from recnb.metrics.rating import mae, mse, rmse

NEEDS = ("lists", "scores", "ratings")


@dataclass(frozen=True)
class Metric:
    """A metric and what it is computed from.

    Attributes
    ----------
    function : callable
        Called by the metric itself: with `hits, n_relevant, k` where lists are needed, with scores where scores
        are, with true and predicted ratings where ratings are.
    needs : {"lists", "scores", "ratings"}
        *lists*: the first places of each user; anything that ranks gives them. *scores*: a score for every
        item, which lists of other libraries do not give. *ratings*: predictions in rating units.
    whole : bool
        Whether it reads the whole list, whatever `k`.
    lower_is_better : bool
    """

    function: Callable[..., Any]
    needs: str = "lists"
    whole: bool = False
    lower_is_better: bool = False

    @property
    def name(self) -> str:
        """Its name in tables and files."""
        return self.function.__name__

    @property
    def cut(self) -> bool:
        """Whether it is measured at a cut-off `k`."""
        return self.needs == "lists"

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric(measures.hit_rate),
            Metric(measures.recall),
            Metric(measures.precision),
            Metric(measures.f1),
            Metric(measures.ndcg),
            Metric(measures.average_precision),
            Metric(measures.reciprocal_rank),
            Metric(measures.r_precision, whole=True),
            Metric(variants.average_precision_n),
            Metric(variants.average_precision_hits),
            Metric(variants.average_precision_mean_precision),
            Metric(variants.capped_recall),
            Metric(variants.ndcg_fixed_ideal),
            Metric(variants.ndcg_rank2),
            Metric(variants.reciprocal_rank_all, whole=True),
            Metric(auc, needs="scores"),
            Metric(rmse, needs="ratings", lower_is_better=True),
            Metric(mae, needs="ratings", lower_is_better=True),
            Metric(mse, needs="ratings", lower_is_better=True),
        )
    }
)
"""Every metric by name."""


def names_of(needs: str) -> tuple[str, ...]:
    """Names of the metrics with one need, in the order of the table.

    Examples
    --------
    >>> names_of("scores"), names_of("ratings")
    (('auc',), ('rmse', 'mae', 'mse'))
    """
    return tuple(name for name, metric in METRICS.items() if metric.needs == needs)


def resolve(
    names: str | Iterable[str], needs: str | tuple[str, ...] = "lists"
) -> dict[str, Metric]:
    """Look metric names up.

    Parameters
    ----------
    names : str or iterable of str
    needs : str or tuple of str
        The needs that can be met.

    Raises
    ------
    InputError
        At an unknown name, or one that needs something else, with those that would do.

    Examples
    --------
    >>> list(resolve(("ndcg", "recall")))
    ['ndcg', 'recall']
    """
    wanted = [names] if isinstance(names, str) else list(names)
    met = (needs,) if isinstance(needs, str) else needs
    for name in wanted:
        if name not in METRICS or METRICS[name].needs not in met:
            fitting = ", ".join(n for need in met for n in names_of(need))
            raise InputError(
                f"metric '{name}' is not known for {' or '.join(met)}",
                mend=f"choose among {fitting}",
            )
    return {name: METRICS[name] for name in wanted}

"""What a service measures of itself, for Prometheus."""

from __future__ import annotations

from typing import Any

import numpy as np

from recnb.optional import need
from recnb.serving.engine import Listed

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Children(dict[tuple[str, ...], Any]):
    """The children of a metric by their labels: prometheus_client's own way to one costs more than counting.

    Parameters
    ----------
    metric : prometheus_client metric
        With labels.
    """

    def __init__(self, metric: Any) -> None:
        super().__init__()
        self._metric = metric

    def __missing__(self, labels: tuple[str, ...]) -> Any:
        child = self[labels] = self._metric.labels(*labels)
        return child


class Monitor:
    """Counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        prometheus = need("prometheus_client", "metrics")
        self.registry = prometheus.CollectorRegistry()
        self._write = prometheus.generate_latest

        def counter(name: str, text: str, *labels: str):
            return prometheus.Counter(f"recnb_{name}", text, labels, registry=self.registry)

        def gauge(name: str, text: str, *labels: str):
            return prometheus.Gauge(f"recnb_{name}", text, labels, registry=self.registry)

        self.requests = Children(
            counter("requests", "Requests by route and status.", "route", "status")
        )
        self.seconds = prometheus.Histogram(
            "recnb_seconds",
            "Seconds by stage: the whole request, a batch of scoring, a batch of the encoder.",
            ("stage",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.whole = self.seconds.labels("request")
        self.batch = prometheus.Histogram(
            "recnb_batch_jobs",
            "Jobs that were done together.",
            ("stage",),
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self.registry,
        )
        self.queue = gauge("queue_jobs", "Jobs that wait.", "stage")
        self.refused = counter("refused", "Requests that were refused, by reason.", "reason")
        self.fallbacks = counter("fallbacks", "Lists by popularity instead of the model.", "reason")
        self.lists = Children(
            counter("lists", "Lists answered, by model and what ranked them.", "model", "by")
        )
        self.cached = Children(counter("cached_lists", "Lists that came from the cache.", "model"))
        self.shown = Children(counter("shown_items", "Items shown.", "model"))
        self.popular = Children(
            counter(
                "shown_popular_items",
                "Of them those of the most used tenth of the catalogue.",
                "model",
            )
        )
        self.tokens = counter("tokens", "Tokens of texts that were asked for or added.")
        self.unknown = counter("unknown_tokens", "Of them those that the tokenizer does not know.")
        self.events = counter("feedback_events", "Events acknowledged, by kind.", "event")
        self.lost = gauge("lost_log_lines", "Lines of logs that the disk did not take.", "log")
        self.artefacts = gauge("artefact", "1 for each artefact that answers.", "model", "digest")
        self.recall = gauge(
            "index_recall",
            "Recall@10 of an index against the exact product, at export.",
            "model",
            "index",
        )
        self.shadow_found = counter(
            "shadow_recall_sum", "Sum of recalls of searches that were compared.", "model", "index"
        )
        self.shadow_asked = counter(
            "shadow_searches",
            "Searches that were compared with the exact product.",
            "model",
            "index",
        )
        self.drift = gauge(
            "drift",
            "Population stability index of the latest values against the training data.",
            "model",
            "signal",
        )
        self.popular_reference = gauge(
            "reference_popular_share",
            "Share of the most used tenth in the model's lists for users of the training data.",
            "model",
        )
        self.reloads = counter("reloads", "Artefacts loaded while serving, by outcome.", "outcome")
        for outcome in ("taken", "refused"):  # there before the first: an increase can be seen
            self.reloads.labels(outcome)

    def count(self, model: str, listed: Listed, popular: np.ndarray, from_cache: bool) -> None:
        """A list that goes out; `popular` is True for the most used tenth of the items."""
        self.lists[model, listed.by].inc()
        if from_cache:
            self.cached[(model,)].inc()
        if listed.fallback is not None:
            self.fallbacks.labels(listed.fallback).inc()
        codes = listed.codes[listed.codes < len(popular)]
        self.shown[(model,)].inc(len(listed.codes))
        self.popular[(model,)].inc(np.count_nonzero(popular[codes]))

    def text(self) -> bytes:
        """The exposition format."""
        return self._write(self.registry)


def most_used(popularity: np.ndarray) -> np.ndarray:
    """The most used tenth of the items: ndarray of shape (n,), bool.

    Examples
    --------
    >>> most_used(np.arange(20.0)).nonzero()[0].tolist()
    [18, 19]
    """
    n = max(1, len(popularity) // 10)
    out = np.zeros(len(popularity), bool)
    out[np.argsort(-popularity, kind="stable")[:n]] = True
    return out

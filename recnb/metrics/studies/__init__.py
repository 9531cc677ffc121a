"""Effects on several data sets: a relative change on each, and their mean over all."""

from __future__ import annotations

from recnb.metrics.studies.pooled import Pooled, pooled
from recnb.metrics.studies.relative import Relative, relative

__all__ = ["Pooled", "Relative", "pooled", "relative"]

"""One study over several data sets: where does a language model help, and where not."""

from __future__ import annotations

from recnb.study.across.plan import AcrossPlan, read_set
from recnb.study.across.run import run_across
from recnb.study.across.tables import tables_of

__all__ = ["AcrossPlan", "read_set", "run_across", "tables_of"]

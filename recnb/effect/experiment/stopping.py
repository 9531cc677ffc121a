"""May a test be stopped: by which interval it is read, as it ended, goes on, or nobody said how long it was to be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

USUAL_PLAN = 10_000
"""Users at which always-valid intervals are tightest where none were planned: fixed, so that tomorrow's table changes
nothing of what today's look was promised."""
LEAST_LOOK = 200
"""Users an arm from which a test is read before its end."""
GOES_ON = ("early", "open")


def look_of(n_users: int, planned: int | None, n_days: int) -> str:
    """What kind of look at a test this is.

    Parameters
    ----------
    n_users : int
        Of all arms so far.
    planned : int or None
    n_days : int
        Days of the table; 1 without times.

    Returns
    -------
    {"end", "early", "open", "once"}
        All planned users came; fewer did; none were planned and there are several days; none were planned and there
        are no days. "early" and "open" are read by the always-valid interval, the others by that of one look.

    Examples
    --------
    >>> look_of(900, 20_000, 9), look_of(20_000, 20_000, 9), look_of(900, None, 9), look_of(900, None, 1)
    ('early', 'end', 'open', 'once')
    """
    if planned is not None:
        return "end" if n_users >= planned else "early"
    return "open" if n_days > 1 else "once"


def may_stop(rows: Sequence[dict[str, Any]], look: str) -> bool | None:
    """Whether a test may stop; None where nobody said how long it was to be, and it has no days.

    Before the end: where the primary metric is decided in every arm, or a guardrail is broken.
    """
    if look == "once":
        return None
    if look == "end":
        return True
    primary = [row["verdict"] in ("higher", "lower") for row in rows if row["kind"] == "primary"]
    return all(primary) or any(row["verdict"] == "broken" for row in rows)

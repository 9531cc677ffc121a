"""How to read an interval, a p value and its correction: said once, in the report and in notebooks."""

from __future__ import annotations

from html import escape

READING = (
    (
        "Interval",
        "How far the number would move with other users of the same kind, 95 %. Each model's interval stands alone and "
        "is not corrected: among twenty of them one misses on average. Two values whose intervals overlap may still "
        "differ, since they are of the same users: read the interval of the paired difference.",
    ),
    (
        "p",
        "How often a difference at least as large would come from exchanging the two models within users at random. It "
        "says nothing of the size; the interval does.",
    ),
    (
        "p (Holm)",
        "p, corrected for the number of comparisons in the table where it stands: the smallest is multiplied by their "
        "number, the next by one less, and so on. The family is the rows that are shown; more models, larger p.",
    ),
    (
        "Reading",
        "Better or worse: the interval of the difference is clear of zero and p (Holm) is under 0.05. Not shown: the "
        "interval holds zero. Not settled: the two do not agree.",
    ),
)


class Reading:
    """The four explanations as a box in a notebook; `str()` gives plain text."""

    def __str__(self) -> str:
        return "\n".join(f"{term}: {text}" for term, text in READING)

    def _repr_html_(self) -> str:
        rows = "".join(f"<dt><b>{escape(t)}</b></dt><dd>{escape(text)}</dd>" for t, text in READING)
        return f"<details open><summary>How to read the numbers</summary><dl>{rows}</dl></details>"


def how_to_read() -> Reading:
    """How to read interval, p and Holm, as a box.

    Examples
    --------
    >>> str(how_to_read()).splitlines()[1].partition(":")[0]
    'p'
    """
    return Reading()

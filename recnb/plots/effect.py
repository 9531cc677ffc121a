"""Effects: estimates with intervals in groups, and a difference looked at daily."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recnb.errors import InputError
from recnb.plots.canvas import axes, plain_log, quiet, rows_height
from recnb.plots.palette import style
from recnb.plots.words import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DARK, _SOFT, _MARK = "#1b1b1b", "#8a8a8a", "#0b5c8a"


def plot_estimates(
    rows: pd.DataFrame,
    ax: Axes | None = None,
    reference: float | None = None,
    label: str = "value",
    span: tuple[float, float] | None = None,
) -> Axes:
    """Dots with intervals, the first row on top; a line at a reference.

    Parameters
    ----------
    rows : DataFrame with `name, value, low, high`, optionally `strong` (bool)
    ax : Axes, optional
    reference : float, optional
        Such as what the log itself earned, or the truth.
    label : str
        Of the axis, with its unit.
    span : (float, float), optional
        Ends of the axis; a line that goes on beyond one ends in an arrow. None: as far as the rows reach.

    Raises
    ------
    InputError
        There is no row.

    Examples
    --------
    >>> rows = pd.DataFrame({"name": ["ips", "dr"], "value": [0.1, 0.2], "low": [0.0, 0.1], "high": [0.2, 0.3]})
    >>> [label.get_text() for label in plot_estimates(rows).get_yticklabels()]
    ['ips', 'dr']
    """
    if rows.empty:
        raise InputError("no row to draw", mend="choose rows that were estimated")
    ax = axes(ax, rows_height(len(rows)))
    if reference is not None:
        ax.axvline(reference, color=_SOFT, linewidth=1.2, linestyle="--")
    strong = rows["strong"] if "strong" in rows else [True] * len(rows)
    for at, (row, filled) in enumerate(zip(rows.to_dict("records"), strong)):
        colour = _MARK if filled else _SOFT
        if np.isfinite([row["low"], row["high"]]).all():
            _bounded(ax, at, row["low"], row["high"], span or (-np.inf, np.inf), colour)
        face = colour if filled else "white"
        if span is None or span[0] <= row["value"] <= span[1]:
            ax.plot([row["value"]], [at], "o", color=colour, markerfacecolor=face, markersize=7)
    ax.set_yticks(range(len(rows)), [plain(name) for name in rows["name"]])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    if span is not None:
        ax.set_xlim(span)
    ax.set_xlabel(label)
    quiet(ax)
    return ax


def plot_forest(
    rows: pd.DataFrame,
    pooled: Mapping[str, Any] | None = None,
    ax: Axes | None = None,
    label: str = "change",
) -> Axes:
    """Relative changes on several data sets with intervals, and beneath them their mean as a diamond.

    The axis is that of the logarithm: twice as much and half as much are equally far from no change.

    Parameters
    ----------
    rows : DataFrame with `name, change, low, high`, optionally `strong` (bool)
        Changes as shares (0.1 is drawn at +10 %); rows without one are left out. A hollow dot is not strong.
    pooled : mapping with `change, low, high, predict_low, predict_high`, optional
        The diamond spans the interval of the mean, the thin line where one more data set would lie.
    ax : Axes, optional
    label : str

    Raises
    ------
    InputError
        There is no row to draw.

    Examples
    --------
    >>> rows = pd.DataFrame({"name": ["films", "books"], "change": [0.1, -0.2]}).assign(low=-0.3, high=0.2)
    >>> mean = {"change": -0.05, "low": -0.3, "high": 0.2, "predict_low": None, "predict_high": None}
    >>> [label.get_text() for label in plot_forest(rows, mean).get_yticklabels()]
    ['films', 'books', 'all sets']
    """
    rows = rows[rows["change"].notna()]
    if rows.empty:
        raise InputError("no row to draw", mend="choose rows with a ratio")
    mean = pooled if pooled is not None and pooled.get("change") is not None else None
    ax = axes(ax, rows_height(len(rows) + 1))
    strong = rows["strong"] if "strong" in rows else [True] * len(rows)
    middle, low, high = (np.log1p(rows[c].to_numpy(dtype=float)) for c in ("change", "low", "high"))
    reach = max(0.15, 1.3 * float(np.abs(middle).max()))  # wider lines are cut, with an arrow
    for at, filled in enumerate(strong):
        _bounded(ax, at, low[at], high[at], (-reach, reach), _MARK if filled else _SOFT)
        face = _MARK if filled else "white"
        ax.plot([middle[at]], [at], "o", color=_MARK, markerfacecolor=face, markersize=6)
    names = [plain(name) for name in rows["name"]]
    if mean is not None:
        at = len(rows)
        if mean["predict_low"] is not None:
            ahead = np.log1p([mean["predict_low"], mean["predict_high"]])
            _bounded(ax, at, ahead[0], ahead[1], (-reach, reach), _SOFT, 1.0)
        left, top, right = np.log1p([mean["low"], mean["change"], mean["high"]])
        ax.fill([left, top, right, top], [at, at - 0.28, at, at + 0.28], color="#b8350f")
        names.append("all sets")
    ax.axvline(0, color=_SOFT, linewidth=1.2, linestyle="--")
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    _percent_axis(ax)
    ax.set_xlabel(label)
    quiet(ax)
    return ax


_SITUATIONS = (("#8a8a8a", "o"), ("#b8350f", "^"), ("#0b5c8a", "s"))


def plot_ratios(
    rows: pd.DataFrame, by: str, ax: Axes | None = None, label: str | None = None
) -> Axes:
    """Changes of several data sets against something known of them, a marker a situation, both axes logarithmic.

    Parameters
    ----------
    rows : DataFrame with `situation, change` and a column `by` above 0
    by : str
    ax : Axes, optional
    label : str, optional
        Of the horizontal axis, with its unit.

    Raises
    ------
    InputError
        There is no row to draw.

    Examples
    --------
    >>> rows = pd.DataFrame({"situation": ["warm", "items"], "change": [0.0, 0.5], "words": [10, 2]})
    >>> plot_ratios(rows, "words").get_ylabel()
    'ratio, with / without'
    """
    rows = rows[rows["change"].notna() & rows[by].notna()]
    if rows.empty:
        raise InputError("no row to draw", mend="choose rows with a ratio")
    ax = axes(ax)
    for at, (situation, part) in enumerate(rows.groupby("situation", sort=False)):
        colour, marker = _SITUATIONS[at % len(_SITUATIONS)]
        name = f"{situation} (n = {len(part)} sets)"
        ax.plot(part[by], 1 + part["change"], marker, color=colour, label=name)
    ax.axhline(1, color=_SOFT, linewidth=1.2, linestyle="--")
    plain_log(ax, "x")
    plain_log(ax, "y")
    ax.set_xlabel(label or by)
    ax.set_ylabel("ratio, with / without")
    ax.legend(frameon=False, loc="center right")
    quiet(ax, "y")
    return ax


_TICKS = (-0.9, -0.75, -0.5, -0.25, -0.1, -0.05, 0.0, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 9.0)


def _percent_axis(ax: Axes) -> None:
    """Ticks of an axis of log ratios, written as changes in percent, as many as there is room for."""
    low, high = ax.get_xlim()
    shown = [0.0]
    for tick in sorted(_TICKS, key=lambda t: -abs(np.log1p(t))):
        at = np.log1p(tick)
        apart = min(abs(at - np.log1p(other)) for other in shown)
        if low <= at <= high and apart > 0.15 * (high - low):
            shown.append(tick)
    ax.set_xticks(np.log1p(shown), [f"{100 * tick:+.0f} %" if tick else "0" for tick in shown])
    ax.set_xlim(low, high)


def _bounded(
    ax: Axes,
    at: int,
    low: float,
    high: float,
    span: tuple[float, float],
    colour: str,
    width: float = 2.0,
) -> None:
    """A line from low to high, cut with an arrow where it goes beyond the span."""
    ax.plot(np.clip([low, high], *span), [at, at], color=colour, linewidth=width)
    for beyond, end, marker in ((low < span[0], span[0], "<"), (high > span[1], span[1], ">")):
        if beyond:
            ax.plot([end], [at], marker, color=colour, markersize=5)


def plot_looks(looks: pd.DataFrame, ax: Axes | None = None, label: str = "difference") -> Axes:
    """A difference day by day: the interval of one look, and the one that holds at every look.

    Parameters
    ----------
    looks : DataFrame with `day, difference, low, high, always_low, always_high`
    ax : Axes, optional
    label : str

    Raises
    ------
    InputError
        There is no look.
    """
    if looks.empty:
        raise InputError("no look to draw", mend="give a table with times")
    from matplotlib.ticker import MaxNLocator

    ax = axes(ax)
    day = looks["day"].to_numpy() + 1
    ax.fill_between(
        day, looks["always_low"], looks["always_high"], color="#cfdfe8", label="holds at every look"
    )
    ax.fill_between(day, looks["low"], looks["high"], color="#7fa9c2", label="of one look alone")
    ax.plot(day, looks["difference"], color=_DARK, linewidth=1.8)
    ax.axhline(0, color=_SOFT, linewidth=1.2, linestyle="--")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("day")
    ax.set_ylabel(label)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)  # above the bands
    quiet(ax, grid="y")
    return ax


_KINDS = (
    ("reasons", "#b8350f", "o", "-"),
    ("random", "#8a8a8a", "x", ":"),
    ("popularity", "#0b5c8a", "s", "--"),
    ("drawn anew", "#6d4c9f", "^", "-."),
)


def plot_curves(
    curves: Mapping[str, Sequence[Any]], ax: Axes | None = None, label: str = "taken away"
) -> Axes:
    """How far recommendations stand above the average as reasons are taken away, the mean of each kind of order.

    Parameters
    ----------
    curves : mapping of kind to sequence of :class:`recnb.effect.reasons.Curves`
        Kinds that differ by a number alone ("random 0", "random 1") make one line.
    ax : Axes, optional
    label : str
        Of the steps.

    Raises
    ------
    InputError
        There is no curve.
    """
    if not curves or not all(len(held) for held in curves.values()):
        raise InputError("no curve to draw", mend="make some with recnb.effect.reasons")
    from matplotlib.ticker import MaxNLocator

    ax = axes(ax)
    families: dict[str, list[np.ndarray]] = {}
    for kind, held in curves.items():
        families.setdefault(kind.rstrip(" 0123456789"), []).extend(curve.deletion for curve in held)
    looks = {kind: (colour, marker, line) for kind, colour, marker, line in _KINDS}
    for kind, lines in families.items():
        longest = max(map(len, lines))
        # A short history has fewer steps: it stays where it ended.
        filled = [np.append(line, np.full(longest - len(line), line[-1])) for line in lines]
        colour, marker, style = looks.get(kind, ("#1b1b1b", "D", "-"))
        ax.plot(np.mean(filled, axis=0), color=colour, marker=marker, linestyle=style, label=kind)
    n = len(next(iter(curves.values())))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel(f"{label} (n = {n})")
    ax.set_ylabel("standing (standard deviations)")
    ax.legend(frameon=False)
    quiet(ax, "y")
    return ax


def plot_frontiers(frontiers: Mapping[str, pd.DataFrame], ax: Axes | None = None) -> Axes:
    """NDCG against the share of attention that is not by merit, a line a model, intervals over users.

    Parameters
    ----------
    frontiers : mapping of model to DataFrame
        Of :func:`recnb.effect.fairness.frontier`.
    ax : Axes, optional

    Raises
    ------
    InputError
        There is none.
    """
    if not frontiers:
        raise InputError("no frontier to draw", mend="make some with recnb.effect.fairness")
    ax = axes(ax)
    for name, rows in frontiers.items():
        look = style(name)
        ends = np.vstack([rows["ndcg"] - rows["low"], rows["high"] - rows["ndcg"]])
        ax.errorbar(
            rows["unearned"], rows["ndcg"], ends, label=name, color=look.colour, marker=look.marker,
            linestyle=look.line, elinewidth=0.8,
        )  # fmt: skip
    ax.set_xlabel("share of attention that is not by merit")
    ax.set_ylabel(f"NDCG (n = {int(next(iter(frontiers.values()))['n_users'].iloc[0]):,} users)")
    ax.invert_xaxis()
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False)
    quiet(ax, "y")
    return ax
